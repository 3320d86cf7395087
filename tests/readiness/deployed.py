"""A service that is deployed in moto, and a client for what moto does not have."""

from __future__ import annotations

from typing import Any

import boto3

from infra.readiness import Awaited
from tests.readiness.cloud import AWAITED, refusal

REGION = "us-east-1"


class WithoutRefreshes:
    """boto3's own client, except the two operations on instance refreshes that moto does not have."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._client, operation)

    def describe_instance_refreshes(self, *, AutoScalingGroupName: str, MaxRecords: int) -> dict[str, Any]:
        return {"InstanceRefreshes": []}

    def cancel_instance_refresh(self, *, AutoScalingGroupName: str, WaitForTransitioningInstances: bool) -> None:
        raise refusal("ActiveInstanceRefreshNotFound")


def deployed() -> Awaited:
    """A service as the program creates it, without replicas."""
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
        stack="yellow-cat-1",
        region=REGION,
        group="yellow-cat-1-replicas",
        target_group=arn,
        table="gateway-table",
        log_group="/servestack/yellow-cat-1",
        version=1,
        minimum=1,
        roll=AWAITED.roll,
        port=80,
        boot_timeout=1800,
        on_failure="stop",
    )
