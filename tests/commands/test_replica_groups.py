"""What the commands show of a service whose replicas are in two groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from commands import shell, wait
from commands.lifetimes import Lifetime
from commands.stack_state import GROUP, Bought, groups_of, stack_state
from commands.status.__main__ import main as show_status
from commands.status.collecting import Means
from commands.status.service import look_at_service
from commands.usage.gateway_runs import find_runs
from infra.readiness import Clients
from tests.commands.stacks import FakePulumi, gateway_state, reserved, service_state
from tests.commands.test_usage import GATEWAY, Fleet, at, stack
from tests.readiness import cloud as scripted
from tests.readiness.cloud import Cloud, Event, health, launch_fails, refreshes, says, starts, together

A, B = "i-0aaaaaaaaaaaaaaaa", "i-0bbbbbbbbbbbbbbbb"
BIG = "yellow-cat-1-big-replicas-5d6e7f8"
NOW = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)
HEALTHY = together(health(A, "healthy"), health(B, "healthy"))


def two_groups(**big: Any) -> Any:
    """The state of a stack with the groups 0 and big. `big`: other outputs of the second."""
    exported = service_state()
    resources: list[Any] = exported["deployment"]["resources"]
    first = next(one for one in resources if one["type"] == GROUP)
    first["urn"] = f"urn:pulumi:cat::servestack::servestack:service:Service${GROUP}::yellow-cat-1-replicas"
    second = {**first, "urn": f"{first['urn'].rpartition('::')[0]}::yellow-cat-1-big-replicas"}
    second["outputs"] = {**first["outputs"], "name": BIG, **big}
    resources.insert(1, second)
    return exported


class Both:
    """Two groups of one run. The load balancer and the table are those of the first."""

    def __init__(self, first: Sequence[Event], big: Sequence[Event]) -> None:
        self.first, self.big = Cloud([(0, together(*first))]), Cloud([(0, together(*big))], minimum=2, desired=2)
        self.time = 0.0

    def clients(self) -> Clients:
        self.first.clients()
        self.big.clients()
        return Clients(autoscaling=self, elbv2=self.first, ec2=self, dynamodb=self.first)

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def describe_auto_scaling_groups(self, *, AutoScalingGroupNames: Sequence[str]) -> Mapping[str, Any]:
        (name,) = AutoScalingGroupNames
        return self._of(name).describe_auto_scaling_groups(AutoScalingGroupNames=[scripted.GROUP])

    def describe_instances(self, *, Filters: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        if Filters[0]["Name"] != "instance-id":
            return {"Reservations": []}
        launched = NOW - timedelta(hours=1)
        found = [{"InstanceId": instance, "LaunchTime": launched} for instance in Filters[0]["Values"]]
        return {"Reservations": [{"Instances": found}]}

    def __getattr__(self, operation: str) -> Any:
        def call(**arguments: Any) -> Any:
            return getattr(self._of(arguments.get("AutoScalingGroupName")), operation)(**arguments)

        return call

    def _of(self, group: str | None) -> Cloud:
        return self.big if group == BIG else self.first


def test_the_state_of_the_stack_has_both_groups_with_their_names() -> None:
    first, big = groups_of(stack_state("cat", two_groups(minSize=0), {}))
    whole = scripted.replaced(stack="cat", port=None)
    assert first.awaited == replace(whole, replica_group="0")
    assert big.awaited == replace(whole, replica_group="big", group=BIG, minimum=0)


def test_a_group_in_a_reservation_has_the_type_of_its_own_launch_template() -> None:
    mixed = {
        "launchTemplate": {
            "launchTemplateSpecification": {"version": "2"},
            "overrides": [{"instanceType": "g6.xlarge"}],
        }
    }
    exported = reserved(two_groups(), "p5.48xlarge")
    for resource in exported["deployment"]["resources"]:
        if resource["type"] == GROUP and resource["outputs"]["name"] == BIG:
            resource["outputs"].update(mixedInstancesPolicy=mixed)
    bought = [group.bought for group in groups_of(stack_state("cat", exported, {}))]
    assert bought == [Bought(types=("p5.48xlarge",), spot=False), Bought(types=("g6.xlarge",), spot=False)]


def test_the_status_counts_the_replicas_of_both_groups() -> None:
    big = [starts(B, type="g6e.xlarge"), refreshes("InProgress", 50), launch_fails("no capacity left")]
    both = Both([starts(A), HEALTHY, says(A, "serving"), says(B, "serving")], big)
    both.clients()
    status = look_at_service(
        stack_state("cat", two_groups(minSize=2), {}), lambda region, profile: lambda name: both, NOW
    )
    assert (status.state, status.healthy, status.desired, status.minimum, status.maximum, status.roll) == (
        "serving",
        2,
        3,
        3,
        4,
        "InProgress, 50 %",
    )
    assert [(one.instance, one.type, one.health) for one in status.replicas] == [
        (A, "g5.xlarge", "healthy"),
        (B, "g6e.xlarge", "healthy"),
    ]
    assert status.problem is not None
    assert "no capacity left" in status.problem
    assert round(status.list_price.an_hour, 3) == round(1.006 + 1.861, 3)


def test_the_status_shows_each_replica_below_its_group(capsys: pytest.CaptureFixture[str]) -> None:
    both = Both([starts(A), HEALTHY], [starts(B, type="g6e.12xlarge"), says(B, "pulling image", 40)])
    both.clients()
    means = Means(
        pulumi=FakePulumi({"cat": two_groups(minSize=2)}),
        clients=lambda region, profile: lambda name: both,
        local=tuple,
        now=lambda: NOW,
    )
    assert show_status(["cat"], means=means) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:8] == [
        "RUN                      STATE                    TYPE          ZONE        SPOT    AGE  GPU %  MEM %  REQ/S  "
        "TOK/S",
        "yellow-cat-1             serving: 2 of 3 healthy",
        "  group 0                1 of 1 healthy",
        f"    {A}  healthy                  g5.xlarge     us-east-1a  no    1h 0m",
        "  group big              1 of 2 healthy",
        f"    {B}  healthy                  g6e.12xlarge  us-east-1a  no    1h 0m",
        "",
        "yellow-cat-1: https://yellow-cat-1.example.com",
    ]
    assert lines[8] == "  replicas: 3 to 4 (0 1 to 2, big 2 to 2)"


def test_a_replica_that_is_there_has_not_ended_for_the_groups_that_do_not_have_it() -> None:
    cause = says(B, "starting container", cause="no memory is left")
    both = Both([starts(A), HEALTHY, cause], [starts(B)])
    both.clients()
    status = look_at_service(stack_state("cat", two_groups(), {}), lambda region, profile: lambda name: both, NOW)
    assert status.problem == f"{B}: starting container: no memory is left"


def waited(both: Both, state: Any, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str], str]:
    ended = wait.main(
        ["cat"],
        pulumi=FakePulumi({"cat": state}),
        clients=lambda region, profile: both.clients(),
        clock=both,
    )
    printed = capsys.readouterr()
    return ended, printed.out.splitlines(), printed.err


def test_each_group_that_always_has_replicas_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    both = Both([starts(A), HEALTHY], [starts(B)])
    ended, lines, _ = waited(both, two_groups(minSize=2), capsys)
    assert (ended, [line for line in lines if "serves" in line]) == (
        0,
        [
            "[ 0:00] waiting until yellow-cat-1, group 0, serves; a replica has 30 minutes to start",
            "[ 0:00] yellow-cat-1, group 0, serves",
            "[ 0:00] waiting until yellow-cat-1, group big, serves; a replica has 30 minutes to start",
            "[ 0:00] yellow-cat-1, group big, serves",
        ],
    )
    ended, lines, _ = waited(both, two_groups(minSize=0), capsys)
    assert (ended, "group big" in " ".join(lines)) == (0, False)


def test_a_group_that_does_not_serve_leaves_the_others_and_says_that_they_cost_money(
    capsys: pytest.CaptureFixture[str],
) -> None:
    serving = [starts(A), health(A, "healthy"), says(B, "pulling image", cause="no such image", final=True)]
    both = Both(serving, [starts(B)])
    ended, _, report = waited(both, two_groups(minSize=2), capsys)
    assert (ended, report.splitlines()[0]) == (1, "yellow-cat-1, group big, does not serve: no such image")
    assert report.splitlines()[2] == (
        "  billing: The group is set to zero and its instances have ended. They are no longer billed. The replicas of "
        "the other groups are left as they are. Those that run are billed; pulumi destroy ends them."
    )
    assert (both.first.done, list(both.first.replicas)) == ([f"terminate {B}"], [A])


def test_a_shell_is_on_a_replica_of_any_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commands.shell.shutil.which", lambda program: program)
    both = Both([starts(A)], [starts(B)])
    both.clients()
    became: list[list[str]] = []
    ended = shell.main(
        ["cat", "--replica", B],
        pulumi=FakePulumi({"cat": two_groups()}),
        clients=lambda region, profile: lambda name: both,
        execute=lambda _, command: became.append(command),
    )
    assert (ended, became[0][4]) == (0, B)


def test_the_usage_of_a_run_counts_the_replicas_of_both_groups() -> None:
    cat, big = stack("cat", "g5.xlarge"), stack("cat", "g6e.xlarge")
    group = next(one for one in big["deployment"]["resources"] if one["type"] == GROUP)
    cat["deployment"]["resources"].append({**group, "outputs": {**group["outputs"], "name": "cat-big-replicas"}})
    fleet = Fleet(
        living={"cat-replicas": [("i-0a", "g5.xlarge", at(24))], "cat-big-replicas": []},
        ended={"cat-big-replicas": [("i-0b", at(6), at(2))]},
        types={},
    )
    found = find_runs(
        stack_state("gateway", gateway_state([GATEWAY]), {}),
        FakePulumi({"cat": cat}),
        lambda region, profile: lambda name: fleet,
        at(48),
    )

    def lifetime(instance: str, type: str, began: float, ended: float | None) -> Lifetime:
        end = None if ended is None else at(ended)
        return Lifetime(instance=instance, type=type, assumed=False, spot=False, began=at(began), ended=end)

    first, second = lifetime("i-0a", "g5.xlarge", 24, None), lifetime("i-0b", "g6e.xlarge", 6, 2)
    assert (found.replicas, found.problems) == ({"cat": (first, second)}, ())
