"""Waiting with real boto3 clients against moto, whose groups start instances and register them as healthy targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from infra.readiness import Awaited, Clients, NotServingError, Served, aws_clients, release, wait_until_serving
from tests.readiness.cloud import Cloud
from tests.readiness.deployed import REGION, WithoutRefreshes, deployed


def clients() -> Clients:
    real = aws_clients(REGION)
    return replace(real, autoscaling=WithoutRefreshes(real.autoscaling))


@pytest.fixture
def awaited(monkeypatch: pytest.MonkeyPatch) -> Iterator[Awaited]:
    """A service as the program creates it, without replicas."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # they take ten seconds
    with mock_aws():
        yield deployed()


def test_a_group_at_zero_is_put_to_its_minimum_and_serves(awaited: Awaited) -> None:
    said: list[str] = []
    served = wait_until_serving(awaited, clients(), clock=Cloud(), say=said.append)
    instance = _instances()[0]
    assert served == Served(instance=instance, seconds=0)
    assert said == [
        "[ 0:00] waiting until yellow-cat-1 serves; a replica has 30 minutes to start",
        "[ 0:00] the group's minimum is now 1 and its desired capacity 1",
        f"[ 0:00] {instance} (g5.xlarge, us-east-1a): started",
        f"[ 0:00] {instance}: healthy",
        "[ 0:00] yellow-cat-1 serves",
    ]


def test_a_replica_that_gave_up_ends_with_its_group_at_zero(awaited: Awaited) -> None:
    """moto's targets are healthy at once, so the test removes this one from the target group."""
    autoscaling: Any = boto3.client("autoscaling", REGION)
    autoscaling.update_auto_scaling_group(AutoScalingGroupName=awaited.group, MinSize=1, DesiredCapacity=1)
    instance = _instances()[0]
    elbv2: Any = boto3.client("elbv2", REGION)
    elbv2.deregister_targets(TargetGroupArn=awaited.target_group, Targets=[{"Id": instance}])
    table: Any = boto3.client("dynamodb", REGION)
    table.put_item(
        TableName=awaited.table,
        Item={
            "pk": {"S": "state#yellow-cat-1"},
            "sk": {"S": instance},
            "step": {"S": "pulling image"},
            "cause": {"S": "the image was not found"},
            "final": {"BOOL": True},
        },
    )
    with pytest.raises(NotServingError) as caught:
        wait_until_serving(awaited, clients(), clock=Cloud(), say=lambda line: None)
    assert str(caught.value) == (
        "yellow-cat-1 does not serve: the image was not found\n"
        f"  replica: {instance}, last step: pulling image\n"
        "  billing: The group is set to zero and its instances have ended. They are no longer billed.\n"
        f'  logs: make logs STACK=yellow-cat-1 ARGS="--replica {instance} --since 1d"'
    )
    group = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[awaited.group])["AutoScalingGroups"][0]
    assert (group["MinSize"], group["DesiredCapacity"]) == (0, 0)


def test_the_operations_that_moto_does_not_have_are_asked_as_botocore_has_them(awaited: Awaited) -> None:
    """A stubbed client refuses arguments and answers that do not match botocore's model of the call."""
    real = aws_clients(REGION)
    stubber = Stubber(real.autoscaling)
    group = {"AutoScalingGroupName": awaited.group}
    template = {"LaunchTemplateId": "lt-1", "Version": "1"}
    instance = {
        "InstanceId": "i-1",
        "InstanceType": "g5.xlarge",
        "AvailabilityZone": "us-east-1a",
        "LifecycleState": "InService",
        "HealthStatus": "Healthy",
        "LaunchTemplate": {**template, "Version": "0"},
        "ProtectedFromScaleIn": False,
    }
    described = {
        **group,
        "MinSize": 1,
        "MaxSize": 2,
        "DesiredCapacity": 1,
        "DefaultCooldown": 300,
        "AvailabilityZones": ["us-east-1a"],
        "HealthCheckType": "ELB",
        "CreatedTime": datetime.now(UTC),
        "MixedInstancesPolicy": {"LaunchTemplate": {"LaunchTemplateSpecification": template}},
        "Instances": [instance],
    }
    groups = {"AutoScalingGroups": [described]}, {"AutoScalingGroupNames": [awaited.group]}
    refresh = {"InstanceRefreshId": "r-1", **group, "Status": "Failed", "PercentageComplete": 50}

    def look(*refreshes: dict[str, Any]) -> None:
        stubber.add_response("describe_auto_scaling_groups", *groups)
        stubber.add_response("describe_scaling_activities", {"Activities": []}, {**group, "MaxRecords": 20})
        stubber.add_response(
            "describe_instance_refreshes", {"InstanceRefreshes": list(refreshes)}, {**group, "MaxRecords": 1}
        )

    stubber.add_response("describe_auto_scaling_groups", *groups)
    look()
    preferences = {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200, "InstanceWarmup": 2100}
    stubber.add_response(
        "start_instance_refresh",
        {"InstanceRefreshId": "r-1"},
        {**group, "Strategy": "Rolling", "Preferences": preferences},
    )
    look(refresh)
    processes = {**group, "ScalingProcesses": ("Launch", "Terminate")}
    stubber.add_response("suspend_processes", {}, processes)
    stubber.add_client_error("cancel_instance_refresh", "ActiveInstanceRefreshNotFound")
    stubber.add_response(
        "detach_instances", {}, {**group, "InstanceIds": ["i-2"], "ShouldDecrementDesiredCapacity": False}
    )
    stubber.add_response("resume_processes", {}, processes)
    with stubber:
        described["Instances"] = [instance, {**instance, "InstanceId": "i-2"}]
        with pytest.raises(NotServingError, match="ended with the status Failed at 50 %"):
            wait_until_serving(awaited, replace(real, elbv2=Healthy("i-1"), ec2=Machines()), clock=Cloud(), say=print)
        release(awaited.group, real)
    stubber.assert_no_pending_responses()


class Healthy:
    """A load balancer that reports one instance as healthy."""

    def __init__(self, instance: str) -> None:
        self._instance = instance

    def describe_target_health(self, *, TargetGroupArn: str) -> dict[str, Any]:
        found = {"Target": {"Id": self._instance}, "TargetHealth": {"State": "healthy"}}
        return {"TargetHealthDescriptions": [found]}

    def describe_target_groups(self, *, TargetGroupArns: Sequence[str]) -> dict[str, Any]:
        return {"TargetGroups": []}


class Machines:
    """An EC2 whose instances end when they should."""

    def describe_instances(self, *, Filters: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return {"Reservations": []}

    def terminate_instances(self, *, InstanceIds: Sequence[str]) -> None:
        assert InstanceIds == ["i-2"]


def _instances() -> list[str]:
    ec2: Any = boto3.client("ec2", REGION)
    return [
        instance["InstanceId"]
        for reservation in ec2.describe_instances()["Reservations"]
        for instance in reservation["Instances"]
    ]
