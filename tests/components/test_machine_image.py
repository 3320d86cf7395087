"""Which machine image replicas start from, and where its root volume is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from infra.planning.boot import AMI_PARAMETER
from tests.aws.recording import Recording
from tests.aws.standin import Cloud, ExistingImage, World
from tests.components.conftest import GATEWAY
from tests.components.deploying import Account

UBUNTU = ExistingImage(id="ami-0123456789abcdef0", deprecated=True)
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
WEB = "type: service\nimage: nginx\nport: 80\nresources: {gpu: 24GB}\n"


@pytest.fixture
def ubuntu(tmp_path: Path) -> Account:
    """An account with a gateway and a machine image of its own, whose root device is not the usual one."""
    return Account(tmp_path, Cloud(World(images=(UBUNTU,)))).with_gateway(GATEWAY)


def image(service: Recording) -> tuple[str, str]:
    """The machine image and where its root is, as the account has them."""
    made = service.made(service.one(TEMPLATE)).outputs
    return made["imageId"], made["blockDeviceMappings"][0]["deviceName"]


def test_a_pinned_image_is_taken_and_its_own_root_device_has_the_disk(ubuntu: Account) -> None:
    config = {"configuration": ubuntu.written("serve.yml", WEB), "ami": UBUNTU.id}
    service = ubuntu.up("run", config)
    assert image(service) == (UBUNTU.id, "/dev/sda1")
    assert service.one(TEMPLATE).ignore_changes == ()
    assert [one.token for one in service.run.calls if "getParameter" in one.token] == []
    assert ubuntu.up("run", config).changes() == {}


def test_pinning_an_image_rolls_and_pinning_it_no_longer_leaves_it_with_its_root_device(ubuntu: Account) -> None:
    config = {"configuration": ubuntu.written("serve.yml", WEB)}
    assert image(ubuntu.up("run", config)) == (ubuntu.cloud.world.parameters[AMI_PARAMETER], "/dev/xvda")
    pinned = ubuntu.up("run", {**config, "ami": UBUNTU.id})
    assert pinned.changes()["Group run-replicas"] == "update"
    assert image(pinned) == (UBUNTU.id, "/dev/sda1")
    assert ubuntu.up("run", config).changes() == {}


def test_a_newer_image_of_aws_s_changes_nothing(ubuntu: Account) -> None:
    config = {"configuration": ubuntu.written("serve.yml", WEB)}
    ubuntu.up("run", config)
    newer = {**ubuntu.cloud.world.parameters, AMI_PARAMETER: "ami-0ffffffffffffffff"}
    ubuntu.cloud = Cloud(World(parameters=newer), ubuntu.cloud.records)
    assert ubuntu.up("run", config).changes() == {}


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (
            (),
            r"stack config ami\n  found:  ami-0123456789abcdef0\n  rule:   the image must exist in the service's",
        ),
        (
            (ExistingImage(id="ami-0123456789abcdef0", architecture="arm64"),),
            r"ami-0123456789abcdef0, architecture arm64\n  rule:   instances with GPUs need an image whose",
        ),
        (
            (ExistingImage(id="ami-0123456789abcdef0", architecture="arm64", volume_size=200),),
            r"2 problems(.|\n)*resources.disk\n  found:  100GB\n  rule:   .*has 200GB\n  remedy: write disk: 200GB\.\.",
        ),
    ],
)
def test_a_machine_image_that_replicas_cannot_start_from(
    tmp_path: Path, images: tuple[ExistingImage, ...], message: str
) -> None:
    account = Account(tmp_path, Cloud(World(images=images))).with_gateway(GATEWAY)
    config = {"configuration": account.written("serve.yml", WEB), "ami": "ami-0123456789abcdef0"}
    recording = account.attempt("run", config)
    assert re.search(message, "\n".join(recording.errors))
    assert [one.urn for one in recording.resources if not one.type.startswith("pulumi:")] == []


def test_a_disk_of_a_group_that_is_too_small_is_found_in_that_group(tmp_path: Path) -> None:
    world = World(images=(ExistingImage(id="ami-0123456789abcdef0", volume_size=200),))
    account = Account(tmp_path, Cloud(world)).with_gateway(GATEWAY)
    groups = "type: service\nimage: nginx\nport: 80\nreplicas:\n- {count: 1, resources: {gpu: L4, disk: 200GB..}}\n"
    text = f"{groups}- {{name: small, count: 1, resources: {{gpu: L4}}}}\n"
    config = {"configuration": account.written("serve.yml", text), "ami": "ami-0123456789abcdef0"}
    found = r"resources.disk of group small\n  found:  100GB\n(.*)\n  remedy: write disk: 200GB.. under resources$"
    assert re.search(found, "\n".join(account.attempt("run", config).errors), re.MULTILINE)
