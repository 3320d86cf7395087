"""A group, its targets and its table as AWS describes them. They change with time, and a clock moves the time.

moto has no instance refreshes and no launches that fail, so the events of a wait are scripted here. The answers have
the shape of botocore's answers; `test_with_moto` compares them with those of moto.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from infra.planning.plan import Roll
from infra.readiness import Awaited, Clients

GROUP = "yellow-cat-1-replicas-1a2b3c4"
AWAITED = Awaited(
    run="yellow-cat-1",
    stack="yellow-cat-1",
    region="us-east-1",
    group=GROUP,
    target_group="arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/yellow/0123456789abcdef",
    table="gateway-table-1a2b3c4",
    log_group="/servestack/yellow-cat-1",
    version=2,
    minimum=1,
    roll=Roll(min_healthy_percentage=100, max_healthy_percentage=200, warmup=2100),
    port=80,
    boot_timeout=1800,
    on_failure="stop",
)

Event = Callable[["Cloud"], None]
BEGAN = datetime(2026, 11, 1, 12, tzinfo=UTC)
"""The start of every activity."""


def refusal(code: str, message: str = "no", status: int = 400) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "Operation")


@dataclass
class Cloud:
    """The state of AWS, the events to come, and the calls that changed something."""

    events: list[tuple[float, Event]] = field(default_factory=list)
    minimum: int = 1
    desired: int = 1
    maximum: int = 2
    suspended: list[str] = field(default_factory=list)
    version: int = 2
    """The version of the launch template for new instances."""
    replicas: dict[str, dict[str, Any]] = field(default_factory=dict)
    targets: dict[str, dict[str, Any]] = field(default_factory=dict)
    activities: list[dict[str, Any]] = field(default_factory=list)
    refresh: dict[str, Any] | None = None
    states: dict[str, dict[str, Any]] = field(default_factory=dict)
    failing: dict[str, Exception] = field(default_factory=dict)
    """The error that an operation raises, by its name in Python."""
    exists: bool = True
    time: float = 0
    done: list[str] = field(default_factory=list)
    """The calls that changed something, in order."""
    slow_to_end: bool = False

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        self.happen()

    def happen(self) -> None:
        while self.events and self.events[0][0] <= self.time:
            self.events.pop(0)[1](self)

    def clients(self) -> Clients:
        self.events.sort(key=lambda event: event[0])
        self.happen()
        return Clients(autoscaling=self, elbv2=self, ec2=self, dynamodb=self)

    def describe_auto_scaling_groups(self, *, AutoScalingGroupNames: Sequence[str]) -> Mapping[str, Any]:
        self._asked("describe_auto_scaling_groups")
        assert AutoScalingGroupNames == [GROUP]
        if not self.exists:
            return {"AutoScalingGroups": []}
        group = {
            "MinSize": self.minimum,
            "MaxSize": self.maximum,
            "DesiredCapacity": self.desired,
            "SuspendedProcesses": [{"ProcessName": name} for name in self.suspended],
            "MixedInstancesPolicy": {
                "LaunchTemplate": {
                    "LaunchTemplateSpecification": {"LaunchTemplateId": "lt-1", "Version": str(self.version)}
                }
            },
            "Instances": list(self.replicas.values()),
        }
        return {"AutoScalingGroups": [group]}

    def describe_scaling_activities(self, *, AutoScalingGroupName: str, MaxRecords: int) -> Mapping[str, Any]:
        self._asked("describe_scaling_activities")
        return {"Activities": list(reversed(self.activities))[:MaxRecords]}

    def describe_instance_refreshes(self, *, AutoScalingGroupName: str, MaxRecords: int) -> Mapping[str, Any]:
        self._asked("describe_instance_refreshes")
        return {"InstanceRefreshes": [self.refresh] if self.refresh else []}

    def update_auto_scaling_group(self, *, AutoScalingGroupName: str, MinSize: int, DesiredCapacity: int) -> None:
        self._asked("update_auto_scaling_group")
        self.done.append(f"update min={MinSize} desired={DesiredCapacity}")
        self.minimum, self.desired = MinSize, DesiredCapacity
        if DesiredCapacity == 0 and not self.slow_to_end:
            self.replicas.clear()

    def start_instance_refresh(
        self, *, AutoScalingGroupName: str, Strategy: str, Preferences: Mapping[str, int]
    ) -> Mapping[str, Any]:
        self._asked("start_instance_refresh")
        self.done.append(f"start refresh {' '.join(str(value) for value in Preferences.values())}")
        self.refresh = {"InstanceRefreshId": "refresh-2", "Status": "Pending", "PercentageComplete": 0}
        return {"InstanceRefreshId": "refresh-2"}

    def cancel_instance_refresh(self, *, AutoScalingGroupName: str, WaitForTransitioningInstances: bool) -> None:
        self._asked("cancel_instance_refresh")
        assert not WaitForTransitioningInstances, "it would wait for what does not come to serve"
        if self.refresh is None or self.refresh["Status"] not in ("Pending", "InProgress"):
            raise refusal("ActiveInstanceRefreshNotFound")
        self.done.append("cancel refresh")
        self.refresh = {**self.refresh, "Status": "Cancelled"}

    def suspend_processes(self, *, AutoScalingGroupName: str, ScalingProcesses: Sequence[str]) -> None:
        self._asked("suspend_processes")
        self.done.append(f"suspend {' '.join(ScalingProcesses)}")
        self.suspended += ScalingProcesses

    def resume_processes(self, *, AutoScalingGroupName: str, ScalingProcesses: Sequence[str]) -> None:
        self._asked("resume_processes")
        self.done.append(f"resume {' '.join(ScalingProcesses)}")
        self.suspended = [name for name in self.suspended if name not in ScalingProcesses]

    def describe_target_health(self, *, TargetGroupArn: str) -> Mapping[str, Any]:
        self._asked("describe_target_health")
        return {"TargetHealthDescriptions": list(self.targets.values())}

    def describe_target_groups(self, *, TargetGroupArns: Sequence[str]) -> Mapping[str, Any]:
        self._asked("describe_target_groups")
        return {"TargetGroups": [{"HealthCheckPath": "/health", "Matcher": {"HttpCode": "200"}}]}

    def describe_instances(self, *, Filters: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        self._asked("describe_instances")
        return {"Reservations": [{"Instances": [{"InstanceId": name}]} for name in self.replicas]}

    def detach_instances(
        self, *, AutoScalingGroupName: str, InstanceIds: Sequence[str], ShouldDecrementDesiredCapacity: bool
    ) -> None:
        self._asked("detach_instances")
        assert not ShouldDecrementDesiredCapacity
        self.done.append(f"detach {' '.join(InstanceIds)}")
        for instance in InstanceIds:
            self.replicas.pop(instance, None)

    def terminate_instances(self, *, InstanceIds: Sequence[str]) -> None:
        self._asked("terminate_instances")
        self.done.append(f"terminate {' '.join(InstanceIds)}")

    def query(
        self,
        *,
        TableName: str,
        KeyConditionExpression: str,
        ExpressionAttributeValues: Mapping[str, Any],
        ConsistentRead: bool,
    ) -> Mapping[str, Any]:
        self._asked("query")
        assert (TableName, KeyConditionExpression) == (AWAITED.table, "pk = :run")
        assert ExpressionAttributeValues == {":run": {"S": "state#yellow-cat-1"}}
        return {"Items": list(self.states.values())}

    def _asked(self, operation: str) -> None:
        if operation in self.failing:
            raise self.failing[operation]


def starts(instance: str, *, version: int = 2, type: str = "g5.xlarge", zone: str = "us-east-1a") -> Event:
    def event(cloud: Cloud) -> None:
        cloud.replicas[instance] = {
            "InstanceId": instance,
            "InstanceType": type,
            "AvailabilityZone": zone,
            "LifecycleState": "Pending",
            "HealthStatus": "Healthy",
            "LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": str(version)},
        }

    return event


def leaves(instance: str, cause: str) -> Event:
    def event(cloud: Cloud) -> None:
        del cloud.replicas[instance]
        cloud.targets.pop(instance, None)
        cloud.activities.append(
            {
                "ActivityId": f"end-{len(cloud.activities)}",
                "StatusCode": "Successful",
                "Description": f"Terminating EC2 instance: {instance}",
                "Cause": cause,
                "StartTime": BEGAN,
                "EndTime": BEGAN + timedelta(minutes=17),
            }
        )

    return event


def launch_fails(message: str) -> Event:
    def event(cloud: Cloud) -> None:
        cloud.activities.append(
            {
                "ActivityId": f"start-{len(cloud.activities)}",
                "StatusCode": "Failed",
                "Description": f"Launching a new EC2 instance.  Status Reason: {message}",
                "StatusMessage": message,
                "StartTime": BEGAN,
                "EndTime": BEGAN,
            }
        )

    return event


def says(
    instance: str,
    step: str,
    percent: int | None = None,
    cause: str | None = None,
    *,
    final: bool = False,
    output: str | None = None,
    at: int = 1795400000,
) -> Event:
    def event(cloud: Cloud) -> None:
        item: dict[str, Any] = {
            "pk": {"S": "state#yellow-cat-1"},
            "sk": {"S": instance},
            "step": {"S": step},
            "final": {"BOOL": final},
            "at": {"N": str(at)},
            "ttl": {"N": "1795407200"},
        }
        if percent is not None:
            item["percent"] = {"N": str(percent)}
        if output is not None:
            item["output"] = {"S": output}
        if cause is not None:
            item["cause"] = {"S": cause}
        cloud.states[instance] = item

    return event


def measures(instance: str, at: float, **figures: Any) -> Event:
    """A replica that has said a step writes its figures."""

    def event(cloud: Cloud) -> None:
        written = {"figures": {"S": json.dumps(figures)}, "figures_at": {"N": str(int(at))}}
        cloud.states[instance] = {**cloud.states[instance], **written}

    return event


def health(instance: str, state: str, reason: str = "", description: str = "") -> Event:
    def event(cloud: Cloud) -> None:
        found = {"State": state, "Reason": reason, "Description": description}
        cloud.targets[instance] = {"Target": {"Id": instance, "Port": 8000}, "TargetHealth": found}

    return event


def refreshes(status: str, percent: int = 0, reason: str = "", *, id: str = "refresh-1") -> Event:
    def event(cloud: Cloud) -> None:
        cloud.refresh = {
            "InstanceRefreshId": id,
            "Status": status,
            "PercentageComplete": percent,
            "StatusReason": reason,
        }

    return event


def fails(operation: str, error: Exception | None) -> Event:
    def event(cloud: Cloud) -> None:
        if error is None:
            cloud.failing.pop(operation, None)
        else:
            cloud.failing[operation] = error

    return event


def together(*events: Event) -> Event:
    def event(cloud: Cloud) -> None:
        for one in events:
            one(cloud)

    return event


def replaced(**changed: Any) -> Awaited:
    return replace(AWAITED, **changed)
