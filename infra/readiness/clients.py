"""The AWS clients and the clock that the wait uses. Each protocol has only the calls that the wait makes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from infra.preflight.account import explain_credentials
from infra.preflight.aws_errors import aws_failures
from infra.readiness.awaited import NotServingError

Answer = Mapping[str, Any]


class AutoScaling(Protocol):
    """boto3's `autoscaling`."""

    def describe_auto_scaling_groups(self, *, AutoScalingGroupNames: Sequence[str]) -> Answer: ...
    def describe_scaling_activities(self, *, AutoScalingGroupName: str, MaxRecords: int) -> Answer: ...
    def describe_instance_refreshes(self, *, AutoScalingGroupName: str, MaxRecords: int) -> Answer: ...
    def update_auto_scaling_group(self, *, AutoScalingGroupName: str, MinSize: int, DesiredCapacity: int) -> object: ...
    def start_instance_refresh(
        self, *, AutoScalingGroupName: str, Strategy: str, Preferences: Mapping[str, int]
    ) -> Answer: ...
    def cancel_instance_refresh(self, *, AutoScalingGroupName: str, WaitForTransitioningInstances: bool) -> object: ...
    def detach_instances(
        self, *, AutoScalingGroupName: str, InstanceIds: Sequence[str], ShouldDecrementDesiredCapacity: bool
    ) -> object: ...
    def suspend_processes(self, *, AutoScalingGroupName: str, ScalingProcesses: Sequence[str]) -> object: ...
    def resume_processes(self, *, AutoScalingGroupName: str, ScalingProcesses: Sequence[str]) -> object: ...


class LoadBalancing(Protocol):
    """boto3's `elbv2`."""

    def describe_target_health(self, *, TargetGroupArn: str) -> Answer: ...
    def describe_target_groups(self, *, TargetGroupArns: Sequence[str]) -> Answer: ...


class Machines(Protocol):
    """boto3's `ec2`."""

    def describe_instances(self, *, Filters: Sequence[Mapping[str, Any]]) -> Answer: ...
    def terminate_instances(self, *, InstanceIds: Sequence[str]) -> object: ...


class Table(Protocol):
    """boto3's `dynamodb`."""

    def query(
        self,
        *,
        TableName: str,
        KeyConditionExpression: str,
        ExpressionAttributeValues: Mapping[str, Any],
        ConsistentRead: bool,
    ) -> Answer: ...


@dataclass(frozen=True, kw_only=True)
class Clients:
    """The clients that the wait uses."""

    autoscaling: AutoScaling
    elbv2: LoadBalancing
    ec2: Machines
    dynamodb: Table


class Clock(Protocol):
    """A source of time."""

    def now(self) -> float:
        """Return the seconds since a fixed moment. The value never decreases."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        ...


class WallClock:
    """The clock of this machine."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def aws_clients(region: str, profile: str | None = None) -> Clients:
    """Return clients with the caller's own credentials, or with those of a profile.

    Raises:
        NotServingError: the profile does not exist, or AWS's configuration on this machine cannot be read.
    """
    try:
        return clients_from(client_maker(region, profile))
    except aws_failures() as error:
        raise NotServingError(
            f"it is not known whether the service serves, and nothing was stopped: {explain_credentials(error)}"
        ) from None


def clients_from(client: Callable[[str], Any]) -> Clients:
    """Return the clients that `client` makes from boto3's names."""
    return Clients(
        autoscaling=client("autoscaling"), elbv2=client("elbv2"), ec2=client("ec2"), dynamodb=client("dynamodb")
    )


def client_maker(region: str, profile: str | None = None) -> Callable[[str], Any]:
    """Return a function that makes a client from boto3's name of a service. Only this function imports boto3. Raises
    boto3's error when the profile does not exist, or AWS's configuration on this machine cannot be read."""
    import boto3
    from botocore.config import Config

    patient = Config(retries={"mode": "standard", "total_max_attempts": 4}, connect_timeout=5, read_timeout=20)
    session: Any = boto3.Session(region_name=region, profile_name=profile)
    return lambda name: session.client(name, config=patient)
