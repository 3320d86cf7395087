"""A group with its target group in the control plane, and what a test does to it."""

from __future__ import annotations

import itertools
import json
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

import boto3
from botocore.config import Config

from cloud.control_plane.client import ControlPlane
from cloud.control_plane.environment import IMAGE

REGION = "us-east-1"
ZONES = ("us-east-1a", "us-east-1b")
DELAY = 300
"""Seconds that targets drain at most."""
_numbers = itertools.count(1)
Members = Mapping[str, Any]


@dataclass(frozen=True)
class Process:
    """A control plane that runs, and the clock in it."""

    url: str
    clock: IO[str]
    said: IO[str]

    def passes(self, seconds: float) -> float:
        """Move the clock on by AWS's seconds and the groups on once. Returns the time."""
        self.clock.write(f"{seconds}\n")
        self.clock.flush()
        return float(self.said.readline())


class Cloud:
    """A launch template, a load balancer with a target group, and one Auto Scaling group."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.plane = ControlPlane(process.url)
        self.group = f"group-{next(_numbers)}"
        self.autoscaling, self.ec2, self.elbv2 = map(self.client, ("autoscaling", "ec2", "elbv2"))
        self.subnets = [
            one["SubnetId"]
            for zone in ZONES
            for one in self.ec2.describe_subnets(Filters=[{"Name": "availability-zone", "Values": [zone]}])["Subnets"]
        ]
        self.template = self.ec2.create_launch_template(
            LaunchTemplateName=self.group,
            LaunchTemplateData={"ImageId": IMAGE, "InstanceType": "g5.xlarge", "UserData": "b25l"},
        )["LaunchTemplate"]["LaunchTemplateId"]
        self.target_group = self._target_group()
        self.passes()

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            REGION,
            endpoint_url=self._process.url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def create(self, **given: Any) -> None:
        """Create the group, with the template unless another way is given."""
        if "MixedInstancesPolicy" not in given:
            given = {"LaunchTemplate": {"LaunchTemplateId": self.template, "Version": "1"}, **given}
        self.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=self.group,
            **{
                "MinSize": 0,
                "MaxSize": 4,
                "VPCZoneIdentifier": ",".join(self.subnets),
                "TargetGroupARNs": [self.target_group],
                **given,
            },
        )

    def update(self, **given: Any) -> None:
        self.autoscaling.update_auto_scaling_group(AutoScalingGroupName=self.group, **given)

    def new_version(self, **data: Any) -> None:
        """A version 2 of the launch template."""
        data = {"ImageId": IMAGE, "InstanceType": "g5.xlarge", "UserData": "dHdv", **data}
        self.ec2.create_launch_template_version(LaunchTemplateId=self.template, LaunchTemplateData=data)

    def passes(self, seconds: float = 0) -> float:
        """Let AWS's seconds pass, and the groups move on once."""
        return self._process.passes(seconds)

    def boots(self) -> list[str]:
        """Let every machine boot that is `pending`. Returns the instances."""
        self.passes()
        pending = [one["id"] for one in self.instances() if one["state"] == "pending"]
        for instance in pending:
            self.plane.instance_became(instance, "running")
        self.passes()
        return pending

    def ends(self) -> list[str]:
        """Let every machine end that shuts down. Returns the instances."""
        self.passes()
        ending = [one["id"] for one in self.instances() if one["state"] == "shutting-down"]
        for instance in ending:
            self.plane.instance_became(instance, "terminated")
        self.passes()
        return ending

    def instances(self) -> list[Members]:
        """The group's instances as machines see them, with those that have ended."""
        return [one for one in self.plane.instances() if one["group"] == self.group]

    def balancer_says(self, state: str, *instances: str) -> None:
        targets = [{"id": one, "port": 8000, "state": state, "reason": None, "description": None} for one in instances]
        self.plane.report_targets(self.target_group, targets)

    def targets(self) -> dict[str, str]:
        """What DescribeTargetHealth says of each instance."""
        found = self.elbv2.describe_target_health(TargetGroupArn=self.target_group)["TargetHealthDescriptions"]
        return {one["Target"]["Id"]: one["TargetHealth"]["State"] for one in found}

    def described(self) -> Members:
        found = self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.group])
        return found["AutoScalingGroups"][0] if found["AutoScalingGroups"] else {}

    def members(self) -> dict[str, str]:
        """The lifecycle state of each instance in the group."""
        return {one["InstanceId"]: one["LifecycleState"] for one in self.described().get("Instances", [])}

    def activities(self) -> list[Members]:
        """The group's activities, the oldest first."""
        found = self.autoscaling.describe_scaling_activities(AutoScalingGroupName=self.group, IncludeDeletedGroups=True)
        oldest_first = list(reversed(found["Activities"]))
        return sorted(oldest_first, key=lambda one: one["StartTime"])

    def told(self) -> list[tuple[str, str, str]]:
        """Status, description and cause of each activity, the oldest first."""
        return [(one["StatusCode"], one["Description"], one["Cause"]) for one in self.activities()]

    def refresh(self) -> Members:
        """The newest instance refresh: status, percentage, instances to update, reason."""
        found = self.autoscaling.describe_instance_refreshes(AutoScalingGroupName=self.group, MaxRecords=1)
        return found["InstanceRefreshes"][0]

    def refreshed(self) -> tuple[str, int, int, str | None]:
        newest = self.refresh()
        return (
            newest["Status"],
            newest["PercentageComplete"],
            newest["InstancesToUpdate"],
            newest.get("StatusReason"),
        )

    def put_capacity(self, **members: Any) -> None:
        self.put("capacity", members)

    def tell(self, instance: str, notice: str) -> Members:
        """Let EC2 tell a spot instance `rebalance` or `interruption`."""
        return self.put("spot", {"instance": instance, "notice": notice})

    def put(self, path: str, members: Members) -> Members:
        request = urllib.request.Request(
            f"{self._process.url}/cloud/{path}", json.dumps(members).encode(), method="PUT"
        )
        with urllib.request.urlopen(request, timeout=100) as answer:
            return json.loads(answer.read())

    def close(self) -> None:
        """End everything, so that the next test begins without it."""
        for type in ("g5.xlarge", "g6.xlarge"):
            self.put_capacity(type=type, available=True)
        if self.described():
            self.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=self.group, ForceDelete=True)
        for _ in range(3):
            self.passes(DELAY)
            self.ends()
        assert self.described() == {}

    def _target_group(self) -> str:
        vpc = self.ec2.describe_subnets(SubnetIds=self.subnets)["Subnets"][0]["VpcId"]
        balancer = self.elbv2.create_load_balancer(Name=self.group, Subnets=self.subnets, Scheme="internal")
        made = self.elbv2.create_target_group(Name=self.group, Protocol="HTTP", Port=8000, VpcId=vpc)
        arn = made["TargetGroups"][0]["TargetGroupArn"]
        self.elbv2.modify_target_group_attributes(
            TargetGroupArn=arn, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": str(DELAY)}]
        )
        self.elbv2.create_listener(
            LoadBalancerArn=balancer["LoadBalancers"][0]["LoadBalancerArn"],
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
        )
        return arn


def without_moment(sentence: str) -> str:
    """A sentence of a cause without `At 2026-11-01T12:00:00Z `."""
    begin, _, rest = sentence.partition("Z ")
    assert begin.startswith("At 20")
    return rest
