"""When replicas began and ended, from the scaling activities as AWS writes them. moto has none, so they are scripted
here; the logs are moto's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from commands.lifetimes import Lifetime, ended_since
from commands.stack_state import GROUP, Bought, groups_of, stack_state
from tests.commands.stacks import REGION, reserved, service_state

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
LOG_GROUP = "/servestack/yellow-cat-1"
OFFERS = Bought(types=("g6.xlarge", "g5.xlarge"), spot=None)


def at(hours: float) -> datetime:
    return BEGIN + timedelta(hours=hours)


def activity(description: str, start: float, end: float | None, status: str = "Successful") -> dict[str, Any]:
    times = {"StartTime": at(start)} if end is None else {"StartTime": at(start), "EndTime": at(end)}
    return {"ActivityId": description, "Description": description, "StatusCode": status, **times}


def launch(instance: str, start: float) -> dict[str, Any]:
    return activity(f"Launching a new EC2 instance: {instance}", start, start + 0.1)


def end(instance: str, start: float, end: float) -> dict[str, Any]:
    return activity(f"Terminating EC2 instance: {instance} - it was unhealthy", start, end)


class Paged:
    """Auto Scaling with two activities a page, and how many pages it gave."""

    def __init__(self, *activities: Mapping[str, Any]) -> None:
        self._activities = activities
        self.pages = 0

    def describe_scaling_activities(
        self, *, AutoScalingGroupName: str, MaxRecords: int, NextToken: str = "0"
    ) -> Mapping[str, Any]:
        assert (AutoScalingGroupName, MaxRecords) == ("cats", 100)
        self.pages += 1
        first = int(NextToken)
        more = {"NextToken": str(first + 2)} if first + 2 < len(self._activities) else {}
        return {"Activities": list(self._activities[first : first + 2]), **more}


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The run's log. `i-01` and `i-02` wrote figures; the line of `i-02` says no type."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setattr("commands.lifetimes._WRITTEN", {})
    with mock_aws():
        client: Any = boto3.client("logs", REGION)
        client.create_log_group(logGroupName=LOG_GROUP)
        for instance, said in (("i-01", {"type": "g5.xlarge"}), ("i-02", {})):
            client.create_log_stream(logGroupName=LOG_GROUP, logStreamName=f"{instance}/figures")
            now = int(datetime.now(UTC).timestamp() * 1000)
            events = [{"timestamp": now, "message": json.dumps({"instance": instance, "GpuUse": 5, **said})}]
            client.put_log_events(logGroupName=LOG_GROUP, logStreamName=f"{instance}/figures", logEvents=events)
        yield client


def found(activities: Sequence[Mapping[str, Any]], logs: Any, bought: Bought = OFFERS) -> tuple[Lifetime, ...]:
    return ended_since(BEGIN, Paged(*activities), logs, group="cats", log_group=LOG_GROUP, bought=bought)


def lifetime(instance: str, began: float, ended: float, type: str = "g6.xlarge", **more: Any) -> Lifetime:
    known = {"assumed": True, "spot": None, **more}
    return Lifetime(instance=instance, type=type, began=at(began), ended=at(ended), **known)


def test_a_replica_lives_from_its_launch_to_the_end_of_its_termination(logs: Any) -> None:
    activities = [end("i-02", 8, 8.3), end("i-01", 5, 5.3), launch("i-02", 4), launch("i-01", 1)]
    assert found(activities, logs) == (
        lifetime("i-01", 1, 5.3, "g5.xlarge", assumed=False),
        lifetime("i-02", 4, 8.3),
    )


def test_what_has_not_ended_is_not_there_and_what_was_detached_is(logs: Any) -> None:
    activities = [
        activity("Terminating EC2 instance: i-01", 9, None, "WaitingForELBConnectionDraining"),
        activity("Terminating EC2 instance: i-04", 8, 8.1, "Failed"),
        activity("Launching a new EC2 instance.  Status Reason: none left.", 7, 7, "Failed"),
        activity("Detaching EC2 instance: i-03", 6, 6.1),
        launch("i-04", 3),
        launch("i-03", 2),
        launch("i-01", 1),
    ]
    assert found(activities, logs) == (lifetime("i-03", 2, 6.1),)


def test_older_activities_are_not_asked_for_and_an_older_start_counts_from_the_begin(logs: Any) -> None:
    newer = [end("i-03", 2, 2.3), end("i-04", -0.2, 0.1), end("i-05", -0.5, -0.3)]
    older = [launch("i-05", -2), launch("i-04", -3), launch("i-03", -400), launch("i-06", -500)]
    paged = Paged(*newer, *older)
    ended = ended_since(BEGIN, paged, logs, group="cats", log_group=LOG_GROUP, bought=OFFERS)
    assert (ended, paged.pages) == ((lifetime("i-03", 0, 2.3), lifetime("i-04", 0, 0.1)), 2)


def test_a_group_of_one_type_needs_no_log() -> None:
    activities = [end("i-01", 5, 5.3), launch("i-01", 1)]
    one = Bought(types=("p5.48xlarge",), spot=True)
    assert found(activities, None, one) == (lifetime("i-01", 1, 5.3, "p5.48xlarge", assumed=False, spot=True),)


def test_the_log_is_asked_once_for_what_never_changes(logs: Any) -> None:
    activities = [end("i-01", 5, 5.3), launch("i-01", 1)]
    first = found(activities, logs)
    logs.delete_log_group(logGroupName=LOG_GROUP)
    assert found(activities, logs) == first


@pytest.mark.parametrize(
    ("distribution", "spot"),
    [
        ({"onDemandBaseCapacity": 0, "onDemandPercentageAboveBaseCapacity": 100}, False),
        ({"onDemandBaseCapacity": 0, "onDemandPercentageAboveBaseCapacity": 0}, True),
        ({"onDemandBaseCapacity": 1, "onDemandPercentageAboveBaseCapacity": 0}, None),
        (None, False),
    ],
)
def test_the_state_says_which_types_are_bought_and_how(distribution: Any, spot: bool | None) -> None:
    template = {"overrides": [{"instanceType": "g6.xlarge"}, {"instanceType": "g5.xlarge"}]}
    template["launchTemplateSpecification"] = {"version": "2"}
    mixed = {"launchTemplate": template, "instancesDistribution": distribution}
    state = stack_state("cat", service_state(changed={GROUP: {"mixedInstancesPolicy": mixed}}), {})
    assert groups_of(state)[0].bought == Bought(types=("g6.xlarge", "g5.xlarge"), spot=spot)


@pytest.mark.parametrize("null", [{}, {"mixedInstancesPolicy": None}])
def test_a_reservation_buys_the_one_type_of_the_launch_template(null: dict[str, None]) -> None:
    state = stack_state("cat", reserved(service_state(), "p5.48xlarge", **null), {})
    assert groups_of(state)[0].bought == Bought(types=("p5.48xlarge",), spot=False)
