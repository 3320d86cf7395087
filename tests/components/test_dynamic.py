"""The two dynamic resources: waiting until a service serves, and refusing to delete a gateway that is in use."""

from __future__ import annotations

import base64
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.components.readiness import ReadinessProvider, read_awaited
from infra.components.teardown import Table, TeardownProvider
from infra.readiness import Awaited, Clients, NotServingError
from tests.aws.recording import Recording
from tests.components.deploying import plain

PROPS: dict[str, Any] = {
    "run": "yellow-cat-1",
    "region": "us-east-1",
    "group": "yellow-cat-1-replicas-0123456",
    "target_group": "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/yello-1/0123456789abcdef",
    "table": "gateway-table-0123456",
    "log_group": "/servestack/yellow-cat-1/x",
    "version": "3",
    "minimum": 1.0,
    "port": 80.0,
    "boot_timeout": 1800.0,
    "on_failure": "stop",
    "__provider": "…",
}


@dataclass
class Serving:
    """An AWS whose one replica has the wanted version and is healthy or not. Notes what it was asked to change."""

    healthy: bool = True
    changed: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    asked: list[str] = field(default_factory=list[str])

    def clients(self, region: str, profile: str | None) -> Clients:
        self.asked.append(f"{region} {profile}")
        return Clients(autoscaling=self, elbv2=self, ec2=self, dynamodb=self)  # type: ignore[arg-type]

    def describe_auto_scaling_groups(self, *, AutoScalingGroupNames: Sequence[str]) -> Mapping[str, Any]:
        instance = {
            "InstanceId": "i-1",
            "InstanceType": "g6.xlarge",
            "AvailabilityZone": "us-east-1a",
            "LifecycleState": "InService",
            "HealthStatus": "Healthy",
            "LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": "3"},
        }
        group = {
            "AutoScalingGroupName": AutoScalingGroupNames[0],
            "MinSize": 0,
            "MaxSize": 1,
            "DesiredCapacity": 0,
            "Instances": [instance],
            "SuspendedProcesses": [],
        }
        return {"AutoScalingGroups": [group]}

    def describe_target_health(self, *, TargetGroupArn: str) -> Mapping[str, Any]:
        state = "healthy" if self.healthy else "unhealthy"
        return {"TargetHealthDescriptions": [{"Target": {"Id": "i-1"}, "TargetHealth": {"State": state}}]}

    def describe_target_groups(self, *, TargetGroupArns: Sequence[str]) -> Mapping[str, Any]:
        check = {"HealthCheckPath": "/health", "HealthCheckPort": "traffic-port", "Matcher": {"HttpCode": "200"}}
        return {"TargetGroups": [{"TargetGroupArn": TargetGroupArns[0], "Port": 8000, **check}]}

    def update_auto_scaling_group(self, **change: Any) -> None:
        self.changed.append(change)

    def query(self, **_: Any) -> Mapping[str, Any]:
        return {"Items": []}

    def __getattr__(self, name: str) -> Any:
        return lambda **_: {"Activities": [], "InstanceRefreshes": [], "Reservations": [], "TargetGroups": []}


class Clock:
    """Time that passes at once."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def provider(aws: Serving) -> ReadinessProvider:
    return ReadinessProvider(aws.clients, Clock)


def test_what_is_waited_for_is_read_from_properties_whose_numbers_are_floats() -> None:
    assert read_awaited(PROPS) == Awaited(
        run="yellow-cat-1",
        region="us-east-1",
        group="yellow-cat-1-replicas-0123456",
        target_group=PROPS["target_group"],
        table="gateway-table-0123456",
        log_group="/servestack/yellow-cat-1/x",
        version=3,
        minimum=1,
        port=80,
        boot_timeout=1800,
        on_failure="stop",
    )


def test_it_is_made_when_a_replica_is_healthy_and_puts_the_group_where_the_plan_has_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    aws = Serving()
    assert provider(aws).create(PROPS).id == PROPS["group"]
    assert [(one["MinSize"], one["DesiredCapacity"]) for one in aws.changed] == [(1, 1)]
    assert "yellow-cat-1 serves" in capsys.readouterr().err


def test_it_is_asked_with_the_stack_s_profile() -> None:
    aws = Serving()
    provider(aws).create({**PROPS, "profile": "llm"})
    assert aws.asked == ["us-east-1 llm"]


def test_it_fails_with_the_cause_and_stops_the_spending(capsys: pytest.CaptureFixture[str]) -> None:
    aws = Serving(healthy=False)
    with pytest.raises(NotServingError, match="yellow-cat-1 does not serve"):
        provider(aws).create(PROPS)
    assert [(one["MinSize"], one["DesiredCapacity"]) for one in aws.changed] == [(1, 1), (0, 0)]
    assert "stopping what is billed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "differs", "waits"),
    [
        ({}, False, False),
        ({"version": "4"}, True, True),
        ({"group": "another"}, True, True),
        ({"target_group": "another"}, True, True),
        ({"minimum": 2.0}, True, True),
        ({"boot_timeout": 60.0}, True, False),
        ({"on_failure": "keep"}, True, False),
        ({"log_group": "another"}, True, False),
        ({"__provider": "changed"}, False, False),
    ],
)
def test_it_waits_again_when_what_it_waits_for_has_changed(change: dict[str, Any], differs: bool, waits: bool) -> None:
    aws = Serving()
    before = {**PROPS, "version": "2"} if "version" in change else PROPS
    after = {**PROPS, "version": "3"} if "version" in change else {**PROPS, **change}
    assert provider(aws).diff("id", before, after).changes is differs
    assert provider(aws).update("id", before, after).outs == after
    assert bool(aws.asked) is waits


def test_deleting_it_asks_nothing() -> None:
    aws = Serving()
    provider(aws).delete("id", PROPS)
    assert aws.asked == []


class Registry:
    """A table with routing items, or none any more."""

    def __init__(self, *runs: str, error: str | None = None) -> None:
        self._runs = runs
        self._error = error

    def query(self, **given: Any) -> Mapping[str, Any]:
        if self._error is not None:
            raise ClientError({"Error": {"Code": self._error, "Message": "said"}}, "Query")
        assert given["ExpressionAttributeValues"] == {":registry": {"S": "registry"}, ":run": {"S": "run#"}}
        return {"Items": [{"pk": {"S": "registry"}, "sk": {"S": f"run#{run}"}} for run in self._runs]}


def teardown(table: Table) -> TeardownProvider:
    return TeardownProvider(lambda region, profile: table)


GATEWAY = {"region": "us-east-1", "table": "gateway-table-0123456"}


def test_a_gateway_without_runs_may_be_deleted() -> None:
    teardown(Registry()).delete("id", GATEWAY)


def test_a_gateway_whose_table_is_gone_may_be_deleted() -> None:
    teardown(Registry(error="ResourceNotFoundException")).delete("id", GATEWAY)


def test_a_gateway_that_routes_to_runs_is_not_deleted() -> None:
    runs = [f"run-{number}" for number in range(7)]
    with pytest.raises(RuntimeError, match=r"still routes to run-0, run-1, run-2, run-3, run-4 and 2 more: .*Destroy"):
        teardown(Registry(*runs)).delete("id", GATEWAY)


def test_a_gateway_of_which_nothing_is_known_is_not_deleted() -> None:
    with pytest.raises(RuntimeError, match="could not be asked"):
        teardown(Registry(error="AccessDeniedException")).delete("id", GATEWAY)


def test_a_gateway_s_other_changes_ask_nothing() -> None:
    guard = teardown(Registry(error="AccessDeniedException"))
    assert guard.create(GATEWAY).id == "gateway-table-0123456"
    assert guard.diff("id", GATEWAY, {**GATEWAY, "__provider": "changed"}).changes is False
    assert guard.diff("id", GATEWAY, {**GATEWAY, "table": "other"}).changes is True
    assert guard.update("id", GATEWAY, {**GATEWAY, "table": "other"}).outs == {**GATEWAY, "table": "other"}


def test_what_the_engine_keeps_of_them_is_the_same_each_time_and_has_no_code(
    gateway: Recording, service: Recording
) -> None:
    for recording, kind in ((gateway, TeardownProvider), (service, ReadinessProvider)):
        text = plain(recording.one("pulumi-python:dynamic:Resource").inputs["__provider"])
        kept = base64.b64decode(text)
        assert type(pickle.loads(kept)) is kind
        assert len(kept) < 500, "a reference to the module, not the module"
