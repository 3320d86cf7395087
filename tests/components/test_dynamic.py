"""The dynamic resources: waiting until a service serves, and what the engine keeps of all of them."""

from __future__ import annotations

import base64
import pickle
import pickletools
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pulumi.dynamic import Config, ConfigureRequest

from infra.components.gateway import TEARDOWN
from infra.components.model_claim import ModelClaimProvider
from infra.components.readiness import ReadinessProvider, read_awaited
from infra.components.run_name import RunNameProvider
from infra.components.teardown import TeardownProvider
from infra.planning.plan import Roll
from infra.readiness import Awaited, Clients, NotServingError
from tests.aws.recording import Recording
from tests.components.deploying import plain

PROPS: dict[str, Any] = {
    "run": "yellow-cat-1",
    "stack": "cats",
    "region": "us-east-1",
    "group": "yellow-cat-1-replicas-0123456",
    "target_group": "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/yello-1/0123456789abcdef",
    "table": "gateway-table-0123456",
    "log_group": "/servestack/yellow-cat-1/x",
    "version": "3",
    "minimum": 1.0,
    "roll": {"min_healthy_percentage": 100.0, "max_healthy_percentage": 200.0, "warmup": 900.0},
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
        stack="cats",
        region="us-east-1",
        group="yellow-cat-1-replicas-0123456",
        target_group=PROPS["target_group"],
        table="gateway-table-0123456",
        log_group="/servestack/yellow-cat-1/x",
        version=3,
        minimum=1,
        roll=Roll(min_healthy_percentage=100, max_healthy_percentage=200, warmup=900),
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
    assert "stopping the instances that do not serve" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "differs", "waits"),
    [
        ({}, False, False),
        ({"version": "4"}, True, True),
        ({"group": "another"}, True, True),
        ({"target_group": "another"}, True, True),
        ({"minimum": 2.0}, True, True),
        ({"roll": {**PROPS["roll"], "warmup": 30.0}}, True, False),
        ({"boot_timeout": 60.0}, True, False),
        ({"on_failure": "keep"}, True, False),
        ({"log_group": "another"}, True, False),
        ({"stack": "another"}, True, False),
        ({"profile": "another"}, True, False),
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


def test_deleting_it_lets_a_group_that_a_failed_update_froze_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    resumed: list[Mapping[str, Any]] = []

    class Frozen(Serving):
        def resume_processes(self, **given: Any) -> None:
            resumed.append(given)

    provider(Frozen()).delete("id", {"group": PROPS["group"], "region": "us-east-1"})
    assert resumed == [{"AutoScalingGroupName": PROPS["group"], "ScalingProcesses": ("Launch", "Terminate")}]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("ValidationError", ""),
        (
            "AccessDenied",
            "AWS does not say whether yellow-cat-1-replicas-0123456 can start and end instances (AccessDenied: said). "
            "If not, run aws autoscaling resume-processes --auto-scaling-group-name yellow-cat-1-replicas-0123456 "
            "--region us-east-1\n",
        ),
    ],
)
def test_deleting_it_is_never_refused(code: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    class Refusing(Serving):
        def resume_processes(self, **_: Any) -> None:
            raise ClientError({"Error": {"Code": code, "Message": "said"}}, "ResumeProcesses")

    provider(Refusing()).delete("id", PROPS)
    assert capsys.readouterr().err == said


def test_a_profile_that_is_not_there_is_named_and_keeps_nothing_from_being_deleted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    props = {**PROPS, "profile": "nobody"}
    with pytest.raises(NotServingError, match=r"profile \(nobody\) could not be found"):
        ReadinessProvider().create(props)
    ReadinessProvider().delete("id", props)
    assert "profile (nobody) could not be found" in capsys.readouterr().err


def test_in_the_engine_a_failed_wait_is_shown_without_the_frames_of_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "tracebacklimit", 1000, raising=False)
    readiness = provider(Serving(healthy=False))
    readiness.configure(ConfigureRequest(Config({}, "servestack")))
    try:
        readiness.create(PROPS)
    except Exception:
        shown = traceback.format_exc().splitlines()
    assert shown[0].startswith("yellow-cat-1 does not serve: the health check did not succeed within 30 minutes: GET ")


def test_what_the_engine_keeps_of_them_is_the_same_each_time_and_has_no_code(
    gateway: Recording, service: Recording
) -> None:
    for recording, name, kind in (
        (gateway, f"gateway-{TEARDOWN}", TeardownProvider),
        (service, "yellow-cat-1-readiness", ReadinessProvider),
        (service, "yellow-cat-1-model", ModelClaimProvider),
        (service, "yellow-cat-1-name", RunNameProvider),
    ):
        text = plain(recording.one("pulumi-python:dynamic:Resource", name).inputs["__provider"])
        kept = base64.b64decode(text)
        assert type(pickle.loads(kept)) is kind
        assert len(kept) < 500, "a reference to the module, not the module"


def test_a_stack_s_state_refers_to_one_name_of_this_code() -> None:
    """A class of another name, or in another module, could not destroy the stacks that are there."""
    for kind, module in (
        (ReadinessProvider, "readiness"),
        (ModelClaimProvider, "model_claim"),
        (RunNameProvider, "run_name"),
    ):
        named = [text for _, text, _ in pickletools.genops(pickle.dumps(kind())) if isinstance(text, str)]
        assert named == [f"infra.components.{module}", kind.__name__]
