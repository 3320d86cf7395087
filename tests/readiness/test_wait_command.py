"""`make wait`: what a stack's state says of a service, and what the command does with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from commands.pulumi_cli import PulumiError, run_pulumi
from commands.stack_state import GROUP, StackError, stack_state
from commands.wait import awaited_of, main
from infra.readiness import Clients
from tests.commands.stacks import reserved
from tests.readiness import cloud as scripted
from tests.readiness.cloud import Cloud, health, says, starts, together
from tests.readiness.stack import PROFILE, RESOURCES, pulumi, state

A = "i-0aaaaaaaaaaaaaaaa"


def test_everything_to_wait_for_is_in_the_state_of_the_stack() -> None:
    config = {"servestack:on_failure": {"value": "keep", "secret": False}, "servestack:tok": {"secret": True}}
    keeps = scripted.replaced(stack="cat", port=None, on_failure="keep")
    assert awaited_of(stack_state("cat", state(), config)) == (keeps,)
    assert awaited_of(stack_state("cat", state(), {})) == (scripted.replaced(stack="cat", port=None),)


@pytest.mark.parametrize(
    ("exported", "message"),
    [
        (
            {"version": 3, "deployment": None},
            f"cat has no {GROUP} in its state: it is not the stack of a service, or pulumi up",
        ),
        ({"version": 3, "deployment": {"resources": []}}, f"cat has no {GROUP} in its state"),
        (
            {"deployment": {"resources": [{"type": GROUP, "outputs": RESOURCES[GROUP]}]}},
            "cat has no claim of a run name in its state",
        ),
        (
            state({GROUP: {"minSize": 0}}),
            "cat can have no replica at all (replicas: 0.., or a schedule that has not started it), so there is "
            "nothing to wait for. If its configuration has more, its group was stopped and pulumi refresh has noted "
            "that: run pulumi up --stack cat",
        ),
        (
            {"deployment": {"resources": [{"type": "servestack:gateway:Gateway"}]}},
            "cat is the stack of a gateway, which has no replicas to wait for: name the stack of a service",
        ),
    ],
)
def test_what_is_no_service_that_could_be_waited_for_is_said(exported: dict[str, Any], message: str) -> None:
    with pytest.raises(StackError) as caught:
        awaited_of(stack_state("cat", exported, {}))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("null", [{}, {"mixedInstancesPolicy": None}])
def test_a_service_in_a_reservation_is_waited_for(null: dict[str, None]) -> None:
    assert awaited_of(stack_state("cat", reserved(state(), "p5.48xlarge", **null), {})) == (
        scripted.replaced(stack="cat", port=None),
    )


def test_the_command_prints_progress_and_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    cloud = Cloud([(10, together(starts(A), health(A, "healthy")))])
    asked: list[Sequence[str]] = []
    ended = main(["cat"], pulumi=pulumi(state(), PROFILE, asked), clients=_clients(cloud), clock=cloud)
    assert (ended, capsys.readouterr().out.splitlines()[-1]) == (0, "[ 0:10] yellow-cat-1 serves")
    assert asked == [["stack", "export", "--stack", "cat"], ["config", "--json", "--stack", "cat"]]


def test_the_command_ends_with_1_where_the_service_does_not_serve(capsys: pytest.CaptureFixture[str]) -> None:
    cloud = Cloud([(10, together(starts(A), says(A, "pulling image", cause="no such image", final=True)))])
    assert main(["cat"], pulumi=pulumi(state(), PROFILE), clients=_clients(cloud), clock=cloud) == 1
    assert capsys.readouterr().err.startswith("yellow-cat-1 does not serve: no such image\n")


def test_the_command_is_ended_by_ctrl_c_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    class Interrupted(Cloud):
        def sleep(self, seconds: float) -> None:
            raise KeyboardInterrupt

    cloud = Interrupted()
    assert main(["cat"], pulumi=pulumi(state(), PROFILE), clients=_clients(cloud), clock=cloud) == 130
    assert "interrupted (KeyboardInterrupt). Nothing was stopped" in capsys.readouterr().out


def test_the_version_is_what_the_group_was_given_and_not_a_newer_one_that_it_was_not() -> None:
    """An update that failed between the two has left the group with the version before."""
    newer = {"type": "aws:ec2/launchTemplate:LaunchTemplate", "outputs": {"latestVersion": 3}}
    exported = state()
    exported["deployment"]["resources"].append(newer)
    assert [one.version for one in awaited_of(stack_state("cat", exported, {}))] == [2]


def test_the_command_ends_with_2_where_pulumi_knows_no_such_stack(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stub = tmp_path / "pulumi"
    stub.write_text("#!/bin/sh\necho \"error: no stack named '$4' found\" >&2\nexit 255\n")
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["cat"]) == 2
    assert capsys.readouterr().err == "error: no stack named 'cat' found\n"


def test_a_machine_without_pulumi_is_told_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PulumiError, match=r"^this machine has no pulumi command: install it"):
        run_pulumi(["stack"])


def test_the_command_without_a_stack_says_how_it_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith(
        "error: name the stack of a service: make wait STACK=NAME (pulumi stack ls lists them)\n"
    )


def _clients(cloud: Cloud) -> Any:
    def clients(region: str, profile: str | None) -> Clients:
        assert (region, profile) == ("us-east-1", "work")
        return cloud.clients()

    return clients
