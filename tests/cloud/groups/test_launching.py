"""How instances come into a group."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from infra.readiness.launch_failures import explain_launch_failure
from tests.cloud.groups.world import Cloud, without_moment

AT = "At 2026-11-01T"


def policy(cloud: Cloud, *types: str, weights: tuple[str, ...] = (), **distribution: Any) -> dict[str, Any]:
    overrides: list[dict[str, str]] = [{"InstanceType": type} for type in types]
    for override, weight in zip(overrides, weights, strict=False):
        override["WeightedCapacity"] = weight
    specification = {"LaunchTemplateId": cloud.template, "Version": "1"}
    return {
        "LaunchTemplate": {"LaunchTemplateSpecification": specification, "Overrides": overrides},
        "InstancesDistribution": distribution or {"OnDemandAllocationStrategy": "prioritized"},
    }


def after_the_time(told: list[tuple[str, str, str]]) -> list[tuple[str, str, list[str]]]:
    """The activities without the moments of their causes."""
    return [(code, what, [without_moment(part) for part in cause.split("  ")]) for code, what, cause in told]


def test_an_instance_is_pending_until_its_machine_runs_and_then_serves(cloud: Cloud) -> None:
    cloud.create(MinSize=1)
    cloud.passes()
    [instance] = cloud.instances()
    assert (instance["state"], instance["type"], instance["user_data"]) == ("pending", "g5.xlarge", "b25l")
    assert cloud.members() == {instance["id"]: "Pending"}
    assert cloud.targets() == {}, "a machine that does not run is registered nowhere"
    causes = [
        "a user request created an AutoScalingGroup changing the desired capacity from 0 to 1.",
        "an instance was started in response to a difference between desired and actual capacity, increasing the "
        "capacity from 0 to 1.",
    ]
    launched = f"Launching a new EC2 instance: {instance['id']}"
    assert after_the_time(cloud.told()) == [("InProgress", launched, causes)]
    cloud.boots()
    assert cloud.members() == {instance["id"]: "InService"}
    assert cloud.targets() == {instance["id"]: "initial"}
    assert after_the_time(cloud.told()) == [("Successful", launched, causes)]


def test_the_zones_get_the_same_number_of_instances(cloud: Cloud) -> None:
    cloud.create(MinSize=4)
    cloud.boots()
    assert Counter(one["zone"] for one in cloud.instances()) == {"us-east-1a": 2, "us-east-1b": 2}


def test_an_instance_has_the_version_that_was_the_latest_at_its_launch(cloud: Cloud) -> None:
    cloud.create(LaunchTemplate={"LaunchTemplateId": cloud.template, "Version": "$Latest"}, MinSize=1)
    [first] = cloud.boots()
    cloud.new_version()
    cloud.autoscaling.set_desired_capacity(AutoScalingGroupName=cloud.group, DesiredCapacity=2)
    [second] = cloud.boots()
    versions = {one["InstanceId"]: one["LaunchTemplate"]["Version"] for one in cloud.described()["Instances"]}
    assert versions == {first: "1", second: "2"}
    assert {one["id"]: one["user_data"] for one in cloud.instances()} == {first: "b25l", second: "dHdv"}


def test_the_first_offer_that_a_zone_has_is_taken(cloud: Cloud) -> None:
    cloud.create(MixedInstancesPolicy=policy(cloud, "g5.xlarge", "g6.xlarge"), MinSize=1)
    cloud.put_capacity(type="g5.xlarge", available=False, zone="us-east-1a")
    cloud.passes()
    assert [(one["type"], one["zone"]) for one in cloud.instances()] == [("g6.xlarge", "us-east-1a")]


def test_a_launch_without_capacity_fails_in_the_words_of_aws_and_is_tried_again(cloud: Cloud) -> None:
    cloud.put_capacity(type="g5.xlarge", available=False)
    cloud.create(MixedInstancesPolicy=policy(cloud, "g5.xlarge"), MinSize=1)
    cloud.passes()
    cloud.passes(30)
    message = (
        "Could not launch On-Demand Instances. InsufficientInstanceCapacity - We currently do not have sufficient "
        "g5.xlarge capacity in the Availability Zone you requested (us-east-1a). Our system will be working on "
        "provisioning additional capacity. Launching EC2 instance failed."
    )
    [failed] = cloud.activities()
    assert (failed["StatusCode"], failed["StatusMessage"], failed["Description"]) == (
        "Failed",
        message,
        f"Launching a new EC2 instance.  Status Reason: {message}",
    )
    assert explain_launch_failure(message).what == "AWS has no capacity for these instance types in these zones now"
    cloud.passes(31)
    assert [one["StatusCode"] for one in cloud.activities()] == ["Failed", "Failed"]
    cloud.put_capacity(type="g5.xlarge", available=True)
    cloud.passes(121)
    cloud.boots()
    assert list(cloud.members().values()) == ["InService"]


def test_a_launch_fails_with_the_message_that_a_test_gives(cloud: Cloud) -> None:
    words = "You have requested more vCPU capacity than your current vCPU limit of 0 allows for the instance bucket."
    cloud.put_capacity(type="g5.xlarge", available=False, message=f"VcpuLimitExceeded - {words}")
    cloud.create(MinSize=1)
    cloud.passes()
    assert [one["StatusMessage"] for one in cloud.activities()] == [f"{words} Launching EC2 instance failed."]


def test_an_image_that_does_not_exist_fails_the_launch(cloud: Cloud) -> None:
    data = {"IamInstanceProfile": {"Name": "nobody"}}
    cloud.new_version(**data)
    cloud.create(LaunchTemplate={"LaunchTemplateId": cloud.template, "Version": "2"}, MinSize=1)
    cloud.passes()
    [failed] = cloud.activities()
    assert failed["StatusMessage"] == "Invalid IAM Instance Profile name nobody. Launching EC2 instance failed."
    assert explain_launch_failure(failed["StatusMessage"]).what == "the instance profile does not exist"


def test_what_is_above_the_base_is_spot(cloud: Cloud) -> None:
    mixed = policy(cloud, "g5.xlarge", OnDemandBaseCapacity=1, OnDemandPercentageAboveBaseCapacity=0)
    cloud.create(MixedInstancesPolicy=mixed, MinSize=3)
    cloud.passes()
    assert [one["lifecycle"] for one in cloud.instances()] == ["on-demand", "spot", "spot"]


def test_a_spot_launch_without_capacity_leaves_what_is_on_demand(cloud: Cloud) -> None:
    cloud.put_capacity(type="g5.xlarge", available=False, purchase="spot")
    mixed = policy(cloud, "g5.xlarge", OnDemandBaseCapacity=1, OnDemandPercentageAboveBaseCapacity=0)
    cloud.create(MixedInstancesPolicy=mixed, MinSize=2)
    cloud.passes()
    assert [one["lifecycle"] for one in cloud.instances()] == ["on-demand"]
    assert [one["StatusMessage"] for one in cloud.activities() if one["StatusCode"] == "Failed"] == [
        "Could not launch Spot Instances. UnfulfillableCapacity - Unable to fulfill capacity due to your request "
        "configuration. Please adjust your request and try again. Launching EC2 instance failed."
    ]


def test_weights_count_as_capacity(cloud: Cloud) -> None:
    cloud.create(MixedInstancesPolicy=policy(cloud, "g5.xlarge", weights=("2",)), MinSize=3)
    cloud.passes()
    assert [one["WeightedCapacity"] for one in cloud.described()["Instances"]] == ["2", "2"]


def test_a_machine_that_ends_before_it_serves_is_a_cancelled_launch(cloud: Cloud) -> None:
    cloud.create(MinSize=1)
    cloud.passes()
    [instance] = cloud.instances()
    cloud.plane.instance_became(instance["id"], "terminated")
    cloud.passes()
    [lost] = cloud.activities()
    assert (lost["StatusCode"], lost["StatusMessage"]) == (
        "Cancelled",
        "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: "
        "Client.InstanceInitiatedShutdown: Instance initiated shutdown",
    )
    assert cloud.members() == {}
    cloud.passes(61)
    assert list(cloud.members().values()) == ["Pending"]


@pytest.mark.parametrize("result", ["CONTINUE", "ABANDON"])
def test_a_launching_hook_holds_an_instance_until_it_is_completed(cloud: Cloud, result: str) -> None:
    hook = {"AutoScalingGroupName": cloud.group, "LifecycleHookName": "ready"}
    cloud.create(
        MinSize=1,
        LifecycleHookSpecificationList=[
            {"LifecycleHookName": "ready", "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING"}
        ],
    )
    [one] = cloud.boots()
    assert (cloud.members(), cloud.targets()) == ({one: "Pending:Wait"}, {})
    cloud.autoscaling.complete_lifecycle_action(**hook, InstanceId=one, LifecycleActionResult=result)
    cloud.passes()
    if result == "CONTINUE":
        assert (cloud.members(), cloud.targets()) == ({one: "InService"}, {one: "initial"})
        return
    assert cloud.members() == {one: "Terminating:Proceed"}
    assert cloud.ends() == [one]
    [given_up] = cloud.activities()
    assert given_up["StatusCode"] == "Cancelled"
    assert given_up["StatusMessage"].endswith("was abandoned: Lifecycle Action Completed with ABANDON Result")
    with pytest.raises(cloud.autoscaling.exceptions.ClientError, match="No active Lifecycle Action found with inst"):
        cloud.autoscaling.complete_lifecycle_action(**hook, InstanceId=one, LifecycleActionResult=result)


def test_a_heartbeat_begins_the_time_of_a_hook_again(cloud: Cloud) -> None:
    cloud.create(MinSize=1)
    hook = {"AutoScalingGroupName": cloud.group, "LifecycleHookName": "ready"}
    cloud.autoscaling.put_lifecycle_hook(
        **hook,
        LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING",
        HeartbeatTimeout=600,
        DefaultResult="CONTINUE",
    )
    [one] = cloud.boots()
    cloud.passes(400)
    cloud.autoscaling.record_lifecycle_action_heartbeat(**hook, InstanceId=one)
    cloud.passes(400)
    assert cloud.members() == {one: "Pending:Wait"}
    cloud.passes(201)
    assert cloud.members() == {one: "InService"}


def test_what_this_cloud_does_not_know_is_refused(cloud: Cloud) -> None:
    with pytest.raises(cloud.autoscaling.exceptions.ClientError, match="MaxInstanceLifetime 86400 of CreateAutoScal"):
        cloud.create(MaxInstanceLifetime=86400)
    assert cloud.described() == {}
