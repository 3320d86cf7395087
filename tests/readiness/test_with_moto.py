"""Waiting with real boto3 clients against moto, whose groups start instances and register them as healthy targets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra.readiness import Awaited, Clients, NotServingError, Served, aws_clients, wait_until_serving
from tests.readiness.cloud import Cloud, refusal

REGION = "us-east-1"


class WithoutRefreshes:
    """boto3's own client, but for the two operations on instance refreshes, which moto does not have."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._client, operation)

    def describe_instance_refreshes(self, *, AutoScalingGroupName: str, MaxRecords: int) -> dict[str, Any]:
        return {"InstanceRefreshes": []}

    def cancel_instance_refresh(self, *, AutoScalingGroupName: str) -> None:
        raise refusal("ActiveInstanceRefreshNotFound")


def clients() -> Clients:
    real = aws_clients(REGION)
    return replace(real, autoscaling=WithoutRefreshes(real.autoscaling))


@pytest.fixture
def awaited(monkeypatch: pytest.MonkeyPatch) -> Iterator[Awaited]:
    """A service as the program makes it, without replicas."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # they take ten seconds
    with mock_aws():
        yield _deployed()


def test_a_group_at_zero_is_put_to_its_minimum_and_serves(awaited: Awaited) -> None:
    said: list[str] = []
    served = wait_until_serving(awaited, clients(), clock=Cloud(), say=said.append)
    instance = _instances()[0]
    assert served == Served(instance=instance, seconds=0)
    assert said == [
        "[ 0:00] waiting for yellow-cat-1 to serve; a replica has 30 min for it",
        "[ 0:00] the group has a minimum of 1 and 1 wanted now",
        f"[ 0:00] {instance} (g5.xlarge, us-east-1a): started",
        f"[ 0:00] {instance}: healthy",
        "[ 0:00] yellow-cat-1 serves",
    ]


def test_a_replica_that_gave_up_ends_with_its_group_at_zero(awaited: Awaited) -> None:
    """moto's targets are healthy at once, so this one is taken out of the target group."""
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
        f"  replica: {instance}, which came as far as: pulling image\n"
        f"  logs: aws logs tail {awaited.log_group} --log-stream-names {instance}/boot {instance}/container --since 1d "
        "--region us-east-1\n"
        "  The group was set to zero and its instances have ended: nothing of it is billed any more."
    )
    group = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[awaited.group])["AutoScalingGroups"][0]
    assert (group["MinSize"], group["DesiredCapacity"]) == (0, 0)


def _deployed() -> Awaited:
    ec2: Any = boto3.client("ec2", REGION)
    elbv2: Any = boto3.client("elbv2", REGION)
    autoscaling: Any = boto3.client("autoscaling", REGION)
    dynamodb: Any = boto3.client("dynamodb", REGION)
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    zone = [{"Name": "availability-zone", "Values": ["us-east-1a"]}]
    subnet = ec2.describe_subnets(Filters=zone)["Subnets"][0]["SubnetId"]
    image = ec2.register_image(Name="image", ImageLocation="somewhere")["ImageId"]
    template = ec2.create_launch_template(
        LaunchTemplateName="yellow-cat-1", LaunchTemplateData={"ImageId": image, "InstanceType": "g5.xlarge"}
    )["LaunchTemplate"]["LaunchTemplateId"]
    target_group = elbv2.create_target_group(Name="yellow", Protocol="HTTP", Port=8000, VpcId=vpc)
    arn = target_group["TargetGroups"][0]["TargetGroupArn"]
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="yellow-cat-1-replicas",
        MinSize=0,
        MaxSize=2,
        VPCZoneIdentifier=subnet,
        TargetGroupARNs=[arn],
        LaunchTemplate={"LaunchTemplateId": template, "Version": "1"},
    )
    dynamodb.create_table(
        TableName="gateway-table",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
    )
    return Awaited(
        run="yellow-cat-1",
        region=REGION,
        group="yellow-cat-1-replicas",
        target_group=arn,
        table="gateway-table",
        log_group="/servestack/yellow-cat-1",
        version=1,
        minimum=1,
        port=80,
        boot_timeout=1800,
        on_failure="stop",
    )


def _instances() -> list[str]:
    ec2: Any = boto3.client("ec2", REGION)
    return [
        instance["InstanceId"]
        for reservation in ec2.describe_instances()["Reservations"]
        for instance in reservation["Instances"]
    ]
