"""`make shell`: the command that it becomes, and what it says instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from commands.shell import CONTAINER, main
from tests.commands.stacks import FakePulumi, gateway_state, service_state
from tests.readiness.cloud import Cloud, fails, refusal, starts
from tests.support.processes import ROOT

A, B = "i-0aaaaaaaaaaaaaaaa", "i-0bbbbbbbbbbbbbbbb"
ASKING = "Asking pulumi for the stack cat …\n"
PROFILE = {"cat": {"aws:profile": {"value": "work", "secret": False}}}


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that has both programs."""
    for name in ("aws", "session-manager-plugin"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def opened(*line: str, cloud: Cloud | None = None, pulumi: FakePulumi | None = None) -> tuple[int, list[list[str]]]:
    """The status, and the commands that it became."""
    became: list[list[str]] = []
    stacks = pulumi or FakePulumi({"cat": service_state(), "gateway": gateway_state()})
    ended = main(
        line, pulumi=stacks, clients=_clients(cloud or Cloud()), execute=lambda _, command: became.append(command)
    )
    return ended, became


def test_the_only_replica_is_connected_to(capsys: pytest.CaptureFixture[str]) -> None:
    pulumi = FakePulumi({"cat": service_state()}, PROFILE)
    command = ["aws", "ssm", "start-session", "--target", A, "--region", "us-east-1", "--profile", "work"]
    assert opened("cat", cloud=Cloud([(0, starts(A))]), pulumi=pulumi) == (0, [command])
    assert capsys.readouterr().err == (
        f"{ASKING}Opening a shell on {A}. There, `sudo docker exec -it servestack sh` enters the container, `exit` "
        "leaves.\n"
    )


def test_one_of_several_replicas_is_chosen_by_its_name() -> None:
    cloud = Cloud([(0, starts(A)), (0, starts(B))])
    command = ["aws", "ssm", "start-session", "--target", B, "--region", "us-east-1"]
    assert opened("cat", "--replica", B, cloud=cloud) == (0, [command])


@pytest.mark.parametrize(
    ("line", "cloud", "message"),
    [
        (["cat"], Cloud(), "cat has no replica now: make status STACK=cat says why"),
        (
            ["cat"],
            Cloud([(0, starts(A)), (0, starts(B))]),
            f"cat has 2 replicas: {A}, {B}. Choose one: ARGS='--replica {A}'",
        ),
        (["cat", "--replica", "i-0c"], Cloud([(0, starts(A))]), f"cat has no replica i-0c: it has {A}"),
        (["cat"], Cloud(exists=False), "cat has no Auto Scaling group any more: run pulumi up --refresh"),
    ],
)
def test_a_service_without_that_replica_is_told(
    line: list[str], cloud: Cloud, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert opened(*line, cloud=cloud) == (2, [])
    assert capsys.readouterr().err == f"{ASKING}{message}\n"


def test_a_gateway_is_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    assert opened("gateway") == (2, [])
    assert capsys.readouterr().err.splitlines()[1:] == [
        "gateway is the stack of a gateway, which has no replicas: name a service's stack"
    ]


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (
            "aws",
            "this machine has no aws: install the AWS command line "
            "(https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html), then try again\n",
        ),
        (
            "session-manager-plugin",
            "this machine has no session-manager-plugin: install the Session Manager plugin of the AWS command line "
            "(https://docs.aws.amazon.com/systems-manager/latest/userguide/"
            "session-manager-working-with-install-plugin.html), then try again\n",
        ),
    ],
)
def test_a_program_that_is_missing_is_named_before_anything_is_asked(
    missing: str, message: str, programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (programs / missing).unlink()
    assert opened("cat") == (2, [])
    assert capsys.readouterr().err == message


def test_what_aws_does_not_allow_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    cloud = Cloud([(0, fails("describe_auto_scaling_groups", refusal("AccessDenied")))])
    assert opened("cat", cloud=cloud) == (1, [])
    assert capsys.readouterr().err == (
        f"{ASKING}the AWS credentials do not allow this call (AccessDenied: no): allow it, then try again\n"
    )


def test_the_container_has_the_name_that_the_boot_script_gives_it() -> None:
    assert f"\nCONTAINER={CONTAINER}\n" in (ROOT / "infra/planning/boot/report.sh").read_text()


def _clients(cloud: Cloud) -> Callable[[str, str | None], Callable[[str], Any]]:
    def clients(region: str, profile: str | None) -> Callable[[str], Any]:
        assert region == "us-east-1"
        cloud.clients()
        return lambda name: cloud

    return clients
