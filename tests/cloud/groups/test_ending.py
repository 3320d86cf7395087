"""How instances leave a group, and which."""

from __future__ import annotations

import pytest

from tests.cloud.groups.world import DELAY, Cloud, without_moment

TERMINATING = {"LifecycleHookName": "drain", "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING"}


def test_an_instance_drains_then_waits_for_its_hook_then_ends(cloud: Cloud) -> None:
    cloud.create(MinSize=1, LifecycleHookSpecificationList=[{**TERMINATING, "HeartbeatTimeout": 60}])
    [one] = cloud.boots()
    cloud.balancer_says("healthy", one)
    cloud.update(MinSize=0, DesiredCapacity=0)
    cloud.passes()
    assert (cloud.members(), cloud.targets()) == ({one: "Terminating"}, {one: "draining"})
    cloud.passes(DELAY - 1)
    [_, ending] = cloud.activities()
    assert (ending["StatusCode"], ending["Description"], ending["Progress"]) == (
        "WaitingForELBConnectionDraining",
        f"Terminating EC2 instance: {one} - Waiting For ELB Connection Draining.",
        50,
    )
    cloud.passes(2)
    assert (cloud.members(), cloud.targets()) == ({one: "Terminating:Wait"}, {})
    assert cloud.activities()[1]["StatusCode"] == "MidLifecycleAction"
    assert [instance["state"] for instance in cloud.instances()] == ["running"]
    cloud.passes(61)
    assert cloud.members() == {one: "Terminating:Proceed"}
    assert [instance["state"] for instance in cloud.instances()] == ["shutting-down"]
    cloud.plane.instance_became(one, "terminated")
    cloud.passes()
    assert cloud.members() == {}
    [_, ended] = cloud.activities()
    assert (ended["StatusCode"], ended["Description"], ended["Progress"]) == (
        "Successful",
        f"Terminating EC2 instance: {one}",
        100,
    )
    assert [without_moment(part) for part in ended["Cause"].split("  ")] == [
        "a user request update of AutoScalingGroup constraints to min: 0, max: 4, desired: 0 changing the desired "
        "capacity from 1 to 0.",
        "an instance was taken out of service in response to a difference between desired and actual capacity, "
        "shrinking the capacity from 1 to 0.",
        f"instance {one} was selected for termination.",
    ]


def test_an_instance_ends_as_soon_as_the_load_balancer_has_drained_it(cloud: Cloud) -> None:
    cloud.create(MinSize=1)
    [one] = cloud.boots()
    cloud.update(MinSize=0, DesiredCapacity=0)
    cloud.passes()
    cloud.balancer_says("unused", one)
    cloud.passes()
    assert [instance["state"] for instance in cloud.instances()] == ["shutting-down"]


def test_the_oldest_template_in_the_fullest_zone_ends_first(cloud: Cloud) -> None:
    cloud.create(MinSize=2)
    old = cloud.boots()
    cloud.new_version()
    cloud.update(LaunchTemplate={"LaunchTemplateId": cloud.template, "Version": "2"}, MinSize=3)
    cloud.passes(60)
    [new] = cloud.boots()
    zones = {one["id"]: one["zone"] for one in cloud.instances()}
    [expected] = [one for one in old if zones[one] == zones[new]]
    cloud.update(MinSize=0, DesiredCapacity=2)
    cloud.passes()
    assert [one for one, state in cloud.members().items() if state != "InService"] == [expected]


def test_the_newest_instance_of_the_fullest_zone_ends_first_if_the_group_says_so(cloud: Cloud) -> None:
    cloud.create(MinSize=2, TerminationPolicies=["NewestInstance"])
    old = cloud.boots()
    cloud.new_version()
    cloud.update(LaunchTemplate={"LaunchTemplateId": cloud.template, "Version": "2"}, MinSize=3)
    cloud.passes(60)
    [new] = cloud.boots()
    cloud.update(MinSize=0, DesiredCapacity=2)
    cloud.passes()
    assert cloud.members() == {**dict.fromkeys(old, "InService"), new: "Terminating"}
    zones = {one["id"]: one["zone"] for one in cloud.instances()}
    [first, second] = sorted(old, key=lambda one: zones[one] == zones[new])
    cloud.autoscaling.set_instance_protection(
        AutoScalingGroupName=cloud.group, InstanceIds=[first], ProtectedFromScaleIn=True
    )
    cloud.update(DesiredCapacity=1)
    cloud.passes()
    assert cloud.members() == {first: "InService", second: "Terminating", new: "Terminating"}


def test_an_instance_that_is_protected_from_scaling_in_stays(cloud: Cloud) -> None:
    cloud.create(MinSize=2)
    first, second = cloud.boots()
    cloud.autoscaling.set_instance_protection(
        AutoScalingGroupName=cloud.group, InstanceIds=[first], ProtectedFromScaleIn=True
    )
    cloud.update(MinSize=0, DesiredCapacity=0)
    cloud.passes()
    assert cloud.members() == {first: "InService", second: "Terminating"}


def test_a_user_ends_one_instance_with_and_without_a_successor(cloud: Cloud) -> None:
    cloud.create(MinSize=1, DesiredCapacity=2)
    first, second = cloud.boots()
    ended = cloud.autoscaling.terminate_instance_in_auto_scaling_group(
        InstanceId=first, ShouldDecrementDesiredCapacity=True
    )["Activity"]
    assert (ended["StatusCode"], ended["Description"], without_moment(ended["Cause"])) == (
        "InProgress",
        f"Terminating EC2 instance: {first}",
        f"instance {first} was taken out of service in response to a user request, shrinking the capacity from 2 to 1.",
    )
    message = "Currently, desiredSize equals minSize .1.. Terminating instance without replacement will violate"
    with pytest.raises(cloud.autoscaling.exceptions.ClientError, match=message):
        cloud.autoscaling.terminate_instance_in_auto_scaling_group(
            InstanceId=second, ShouldDecrementDesiredCapacity=True
        )
    cloud.autoscaling.terminate_instance_in_auto_scaling_group(InstanceId=second, ShouldDecrementDesiredCapacity=False)
    cloud.passes()
    [third] = cloud.boots()
    assert cloud.members() == {first: "Terminating", second: "Terminating", third: "InService"}


def test_a_detached_instance_drains_and_runs_on_outside_of_the_group(cloud: Cloud) -> None:
    cloud.create(MinSize=1)
    [one] = cloud.boots()
    [activity] = cloud.autoscaling.detach_instances(
        AutoScalingGroupName=cloud.group, InstanceIds=[one], ShouldDecrementDesiredCapacity=False
    )["Activities"]
    assert (activity["StatusCode"], activity["Progress"], activity["Description"]) == (
        "InProgress",
        50,
        f"Detaching EC2 instance: {one}",
    )
    [two] = cloud.boots()
    assert cloud.members() == {one: "Detaching", two: "InService"}
    cloud.passes(DELAY + 1)
    assert cloud.members() == {two: "InService"}
    [left] = [instance for instance in cloud.plane.instances() if instance["id"] == one]
    assert (left["state"], left["group"]) == ("running", None)
    with pytest.raises(cloud.autoscaling.exceptions.ClientError, match=f"{one} is not part of Auto Scaling group"):
        cloud.autoscaling.detach_instances(
            AutoScalingGroupName=cloud.group, InstanceIds=[one], ShouldDecrementDesiredCapacity=False
        )


def test_an_instance_in_standby_counts_for_nothing_and_comes_back(cloud: Cloud) -> None:
    cloud.create(MinSize=0, DesiredCapacity=1)
    [one] = cloud.boots()
    cloud.autoscaling.enter_standby(
        AutoScalingGroupName=cloud.group, InstanceIds=[one], ShouldDecrementDesiredCapacity=True
    )
    cloud.balancer_says("unused", one)
    cloud.passes()
    assert (cloud.members(), cloud.described()["DesiredCapacity"]) == ({one: "Standby"}, 0)
    cloud.autoscaling.exit_standby(AutoScalingGroupName=cloud.group, InstanceIds=[one])
    cloud.passes()
    assert (cloud.members(), cloud.described()["DesiredCapacity"]) == ({one: "InService"}, 1)
    assert cloud.targets() == {one: "initial"}


def test_a_group_with_instances_is_deleted_only_by_force_and_goes_with_the_last(cloud: Cloud) -> None:
    cloud.create(MinSize=1, LifecycleHookSpecificationList=[TERMINATING])
    [one] = cloud.boots()
    with pytest.raises(
        cloud.autoscaling.exceptions.ClientError, match="while there are instances or pending Spot inst"
    ):
        cloud.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=cloud.group)
    cloud.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=cloud.group, ForceDelete=True)
    cloud.passes()
    assert (cloud.described()["Status"], cloud.targets()) == ("Delete in progress", {one: "draining"})
    cloud.passes(DELAY + 1)
    assert [instance["state"] for instance in cloud.instances()] == ["shutting-down"], "no hook holds it"
    cloud.ends()
    assert cloud.described() == {}


def test_an_instance_that_has_ended_leaves_nothing_that_holds_its_security_group(cloud: Cloud) -> None:
    vpc = cloud.ec2.describe_subnets(SubnetIds=cloud.subnets)["Subnets"][0]["VpcId"]
    made = cloud.ec2.create_security_group(GroupName=cloud.group, Description="replicas", VpcId=vpc)["GroupId"]
    interface = {"DeviceIndex": 0, "AssociatePublicIpAddress": True, "DeleteOnTermination": True, "Groups": [made]}
    cloud.new_version(NetworkInterfaces=[interface])
    cloud.create(LaunchTemplate={"LaunchTemplateId": cloud.template, "Version": "2"}, MinSize=1)
    cloud.boots()
    mine = {"Filters": [{"Name": "group-id", "Values": [made]}]}
    [found] = cloud.ec2.describe_network_interfaces(**mine)["NetworkInterfaces"]
    assert (found["Status"], "PublicIp" in found["Association"]) == ("in-use", True)
    cloud.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=cloud.group, ForceDelete=True)
    cloud.passes()
    cloud.passes(DELAY + 1)
    cloud.ends()
    assert cloud.ec2.describe_network_interfaces(**mine)["NetworkInterfaces"] == []
    cloud.ec2.delete_security_group(GroupId=made)
