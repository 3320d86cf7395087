"""Load balancers answer on loopback, and targets are as healthy as the load balancer says."""

from __future__ import annotations

from typing import Any

import pytest

from cloud.control_plane.client import Refused
from tests.cloud.control_plane.conftest import Running


def test_the_load_balancer_says_how_its_targets_are(plane: Running) -> None:
    elb, ec2 = plane.client("elbv2"), plane.client("ec2")
    subnets = [one["SubnetId"] for one in ec2.describe_subnets()["Subnets"][:2]]
    [vpc] = {one["VpcId"] for one in ec2.describe_subnets()["Subnets"]}
    balancer = elb.create_load_balancer(Name="one", Subnets=subnets, Scheme="internal")["LoadBalancers"][0]
    another = elb.create_load_balancer(Name="two", Subnets=subnets, Scheme="internal")["LoadBalancers"][0]
    port = int(balancer["DNSName"].removeprefix("127.0.0.1:"))
    assert (balancer["State"]["Code"], another["DNSName"]) == ("active", f"127.0.0.1:{port + 1}")
    group = elb.create_target_group(Name="group", Protocol="HTTP", Port=8000, VpcId=vpc)["TargetGroups"][0]
    arn = group["TargetGroupArn"]
    image = ec2.describe_images()["Images"][0]["ImageId"]
    id = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    plane.cloud.instance_became(id, "running")
    elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": id}])

    def health() -> list[tuple[str, int, dict[str, Any]]]:
        found = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        return [(one["Target"]["Id"], one["Target"]["Port"], one["TargetHealth"]) for one in found]

    seen = [health()]
    listener = elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
    )["Listeners"][0]
    seen.append(health())
    codes = {"reason": "Target.ResponseCodeMismatch", "description": "Health checks failed with these codes: [503]"}
    for reported in ({"state": "unhealthy", **codes}, {"state": "healthy"}):
        plane.cloud.report_targets(arn, [{"id": id, "port": 8000, **reported}])
        seen.append(health())
    elb.modify_target_group_attributes(
        TargetGroupArn=arn, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "3000"}]
    )
    elb.deregister_targets(TargetGroupArn=arn, Targets=[{"Id": id}])
    seen.append(health())
    plane.cloud.report_targets(arn, [{"id": id, "port": 8000, "state": "unused"}])
    seen.append(health())
    assert seen == [
        [
            (
                id,
                8000,
                {
                    "State": "unused",
                    "Reason": "Target.NotInUse",
                    "Description": "Target group is not configured to receive traffic from the load balancer",
                },
            )
        ],
        [
            (
                id,
                8000,
                {
                    "State": "initial",
                    "Reason": "Elb.RegistrationInProgress",
                    "Description": "Target registration is in progress",
                },
            )
        ],
        [(id, 8000, {"State": "unhealthy", "Reason": codes["reason"], "Description": codes["description"]})],
        [(id, 8000, {"State": "healthy"})],
        [
            (
                id,
                8000,
                {
                    "State": "draining",
                    "Reason": "Target.DeregistrationInProgress",
                    "Description": "Target deregistration is in progress",
                },
            )
        ],
        [],
    ]
    elb.delete_listener(ListenerArn=listener["ListenerArn"])
    elb.delete_target_group(TargetGroupArn=arn)
    for one in (balancer, another):
        elb.delete_load_balancer(LoadBalancerArn=one["LoadBalancerArn"])
    plane.cloud.instance_became(id, "terminated")


def test_a_report_of_an_unknown_group_is_refused(plane: Running) -> None:
    arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/none/0"
    with pytest.raises(Refused, match=r"400.*targetgroup/none/0"):
        plane.cloud.report_targets(arn, [])


def test_deleting_a_target_group_twice_is_no_error(plane: Running) -> None:
    elb = plane.client("elbv2")
    vpc = plane.client("ec2").describe_subnets()["Subnets"][0]["VpcId"]
    group = elb.create_target_group(Name="ended", Protocol="HTTP", Port=80, VpcId=vpc)["TargetGroups"][0]
    for _ in range(2):
        elb.delete_target_group(TargetGroupArn=group["TargetGroupArn"])
    assert [one["TargetGroupName"] for one in elb.describe_target_groups()["TargetGroups"] if one["VpcId"] == vpc] == []
