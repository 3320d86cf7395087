"""The wait of `pulumi up` and `make wait` on these groups, with the real clients and the waits of AWS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from infra.readiness import Awaited, Clients, NotServingError, Served, clients_from, wait_until_serving
from tests.cloud.groups.world import Cloud
from tests.readiness.cloud import AWAITED


@dataclass
class Time:
    """A clock for the wait: while it sleeps, AWS's seconds pass and machines do what the test says."""

    cloud: Cloud
    machines: Callable[[], object]
    passed: float = 0.0
    said: list[str] = field(default_factory=list[str])

    def now(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.passed += seconds
        self.cloud.passes(seconds)
        self.machines()


@pytest.fixture
def awaited(cloud: Cloud) -> Iterator[Awaited]:
    dynamodb = cloud.client("dynamodb")
    dynamodb.create_table(
        TableName=cloud.group,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
    )
    yield replace(AWAITED, group=cloud.group, target_group=cloud.target_group, table=cloud.group, version=1)
    dynamodb.delete_table(TableName=cloud.group)


def clients(cloud: Cloud) -> Clients:
    return clients_from(cloud.client)


def serve(cloud: Cloud) -> None:
    """Let every machine boot and pass the load balancer's check."""
    cloud.balancer_says("healthy", *cloud.boots())


def gives_up(cloud: Cloud, instance: str) -> None:
    """A replica that stops for good."""
    item = {"step": "pulling image", "cause": "the image was not found"}
    members: dict[str, Any] = {name: {"S": value} for name, value in item.items()}
    key = {"pk": {"S": f"state#{AWAITED.run}"}, "sk": {"S": instance}}
    cloud.client("dynamodb").put_item(TableName=cloud.group, Item={**key, **members, "final": {"BOOL": True}})


def test_a_group_without_replicas_is_brought_to_a_healthy_one(cloud: Cloud, awaited: Awaited) -> None:
    cloud.create()
    time = Time(cloud, lambda: serve(cloud))
    served = wait_until_serving(awaited, clients(cloud), clock=time, say=time.said.append)
    [one] = cloud.members()
    assert served == Served(instance=one, seconds=10)
    assert time.said[1:] == [
        "[ 0:00] the group's minimum is now 1 and its desired capacity 1",
        f"[ 0:10] {one} (g5.xlarge, us-east-1a): started",
        f"[ 0:10] {one}: healthy",
        "[ 0:10] yellow-cat-1 serves",
    ]


def test_a_launch_that_can_never_succeed_ends_with_the_cause_and_the_group_at_zero(
    cloud: Cloud, awaited: Awaited
) -> None:
    words = "You have requested more vCPU capacity than your current vCPU limit of 0 allows for the instance bucket."
    cloud.put_capacity(type="g5.xlarge", available=False, message=f"VcpuLimitExceeded - {words}")
    cloud.create()
    time = Time(cloud, lambda: serve(cloud))
    with pytest.raises(NotServingError) as caught:
        wait_until_serving(awaited, clients(cloud), clock=time, say=time.said.append)
    assert (
        str(caught.value)
        .splitlines()[0]
        .startswith(
            "yellow-cat-1 does not serve: no instance started: the account has no vCPU quota for on-demand instances"
        )
    )
    group = cloud.described()
    assert (group["MinSize"], group["DesiredCapacity"], group["Instances"]) == (0, 0, [])


def test_a_replica_that_gives_up_is_ended_at_once(cloud: Cloud, awaited: Awaited) -> None:
    cloud.create()

    def fail() -> None:
        for instance in cloud.boots():
            gives_up(cloud, instance)
        cloud.ends()

    time = Time(cloud, fail)
    with pytest.raises(NotServingError) as caught:
        wait_until_serving(awaited, clients(cloud), clock=time, say=time.said.append)
    [one] = [instance["id"] for instance in cloud.instances()]
    assert str(caught.value).splitlines()[:3] == [
        "yellow-cat-1 does not serve: the image was not found",
        f"  replica: {one}, last step: pulling image",
        "  billing: The group is set to zero and its instances have ended. They are no longer billed.",
    ]


def test_an_update_that_fails_leaves_the_old_replica_serving_and_the_group_frozen(
    cloud: Cloud, awaited: Awaited
) -> None:
    cloud.create(MinSize=1)
    [old] = cloud.boots()
    cloud.balancer_says("healthy", old)
    cloud.new_version()
    cloud.update(LaunchTemplate={"LaunchTemplateId": cloud.template, "Version": "2"})
    cloud.autoscaling.start_instance_refresh(
        AutoScalingGroupName=cloud.group,
        Preferences={"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200, "InstanceWarmup": 2100},
    )

    def fail() -> None:
        for instance in cloud.boots():
            gives_up(cloud, instance)
        cloud.ends()

    time = Time(cloud, fail)
    with pytest.raises(NotServingError) as caught:
        wait_until_serving(replace(awaited, version=2), clients(cloud), clock=time, say=time.said.append)
    assert str(caught.value).splitlines()[2] == (
        "  billing: 1 replica of the previous version still serves and is billed as before. The other replica is "
        "ended. The group starts and ends no instances by itself until you run pulumi up or make wait again."
    )
    for _ in range(3):
        cloud.passes(1000)
        cloud.ends()
    assert cloud.members() == {old: "InService"}
    assert (cloud.targets(), cloud.refreshed()[0]) == ({old: "healthy"}, "Cancelled")
    assert {one["ProcessName"] for one in cloud.described()["SuspendedProcesses"]} == {"Launch", "Terminate"}


def test_the_wait_after_a_failed_update_rolls_to_the_version_that_serves(cloud: Cloud, awaited: Awaited) -> None:
    cloud.create(MinSize=1)
    [old] = cloud.boots()
    cloud.balancer_says("healthy", old)
    cloud.autoscaling.suspend_processes(AutoScalingGroupName=cloud.group, ScalingProcesses=["Launch", "Terminate"])
    cloud.new_version()
    cloud.update(LaunchTemplate={"LaunchTemplateId": cloud.template, "Version": "2"})
    time = Time(cloud, lambda: serve(cloud))
    served = wait_until_serving(replace(awaited, version=2), clients(cloud), clock=time, say=time.said.append)
    assert "roll: replicas of version 2 replace those of other versions" in time.said[1]
    assert cloud.members() == {old: "InService", served.instance: "InService"}, "the old one serves while it warms up"
