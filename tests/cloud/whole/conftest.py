"""One cloud for all tests of this folder, with a gateway in it, and two services behind the gateway."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud.whole.running_cloud import DOMAIN, RunningCloud, at_once
from tests.cloud.whole.service import BOOT_TIMEOUT
from tests.support.requirements import require

LAST = "test_ending.py"
"""It destroys what the others use."""
TGI, VLLM, MOVING, CHANGING, OTHER = "llama-2", "vllm", "moving", "changing", "other"
SHOWS_ITS_ENVIRONMENT = """\
type: service
image: example/numbered-streams:1
port: 80
env: [TOKEN]
resources: {gpu: "24GB:1"}
"""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker has all of these tests: a cloud takes gigabytes."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.cloud)
            item.add_marker(pytest.mark.xdist_group("cloud"))
            item.add_marker(pytest.mark.timeout(900))
    items.sort(key=lambda item: item.path == Path(__file__).with_name(LAST))


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    """The cloud."""
    require("cloud")
    running = RunningCloud(tmp_path_factory.mktemp("cloud"))
    yield running
    running.close()


@pytest.fixture(scope="session")
def gateway(cloud: RunningCloud) -> str:
    """The name of the stack of a gateway that is deployed."""
    cloud.deploy("gateway", "examples/gateway.dstack.yml", f"domain {DOMAIN}", "protect false")
    return "gateway"


@pytest.fixture(scope="session")
def services(cloud: RunningCloud, gateway: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The names of the stacks of services of this gateway; and beside it there is another gateway. All of them were
    deployed at the same time."""
    changing = tmp_path_factory.mktemp("configurations") / "changing.dstack.yml"
    changing.write_text(SHOWS_ITS_ENVIRONMENT)
    there = cloud.outputs(gateway)["connection"]
    network = (f"vpc_id {there['vpc_id']}", f"subnet_ids {','.join(there['subnet_ids'])}", "protect false")
    at_once(
        lambda: cloud.deploy(OTHER, "examples/gateway-without-domain.dstack.yml", *network),
        lambda: cloud.deploy(TGI, "examples/llama-2/serve.dstack.yml", "gpu 24GB"),
        lambda: cloud.deploy(VLLM, "examples/vllm/serve.dstack.yml"),
        lambda: cloud.deploy(MOVING, "examples/web/serve.dstack.yml"),
        lambda: cloud.deploy(CHANGING, changing, BOOT_TIMEOUT, "--secret --path env.TOKEN pear_'x'_$HOME"),
    )
    return TGI, VLLM, MOVING, CHANGING
