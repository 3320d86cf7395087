"""Instance refreshes: what is replaced when, and what DescribeInstanceRefreshes says meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.cloud.groups.world import DELAY, Cloud

WARMUP = 100
LAUNCH_FIRST = {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200, "InstanceWarmup": WARMUP}
ONE_AFTER_THE_OTHER = {"MinHealthyPercentage": 50, "InstanceWarmup": WARMUP}
NEWEST_FIRST = ("NewestInstance",)


def booted(cloud: Cloud) -> list[str]:
    """Let machines boot, and the load balancer find them healthy. Returns them."""
    instances = cloud.boots()
    cloud.balancer_says("healthy", *instances)
    return instances


def rolling(
    cloud: Cloud, size: int, preferences: Mapping[str, Any], ending: Sequence[str] = (), **started: Any
) -> list[str]:
    """A group of version 1 whose refresh to version 2 has been started; ending: its termination policies. Returns its
    instances."""
    cloud.create(MinSize=size, TerminationPolicies=list(ending))
    old = booted(cloud)
    cloud.passes(1)
    cloud.new_version()
    if "DesiredConfiguration" not in started:
        cloud.update(LaunchTemplate={"LaunchTemplateId": cloud.template, "Version": "2"})
    cloud.autoscaling.start_instance_refresh(AutoScalingGroupName=cloud.group, Preferences=preferences, **started)
    return old


def desired(cloud: Cloud) -> dict[str, Any]:
    return {"LaunchTemplate": {"LaunchTemplateId": cloud.template, "Version": "2"}}


def warming(instance: str) -> str:
    return f"Waiting for instances to warm up before continuing. For example: {instance} is warming up."


def no_data(instance: str) -> str:
    what = "has insufficient data to evaluate its health with Amazon EC2."
    return f"Waiting for remaining instances to be available. For example: {instance} {what}"


def drained(cloud: Cloud) -> None:
    """Let what drains end."""
    cloud.passes(DELAY + 1)
    cloud.ends()


def versions(cloud: Cloud) -> dict[str, str]:
    return {
        one["InstanceId"]: one["LaunchTemplate"]["Version"]
        for one in cloud.described()["Instances"]
        if one["LifecycleState"] == "InService"
    }


def test_the_new_instance_serves_and_is_warm_before_the_old_one_ends(cloud: Cloud) -> None:
    [old] = rolling(cloud, 1, LAUNCH_FIRST)
    assert cloud.refreshed() == ("Pending", 0, 1, None)
    cloud.passes()
    [new] = [one for one in cloud.members() if one != old]
    assert cloud.members() == {old: "InService", new: "Pending"}
    cloud.passes()
    assert cloud.refreshed() == ("InProgress", 0, 1, no_data(new))
    booted(cloud)
    cloud.passes(WARMUP - 1)
    assert cloud.members() == {old: "InService", new: "InService"}
    assert cloud.refreshed() == ("InProgress", 0, 1, warming(new))
    cloud.passes(2)
    assert cloud.members() == {old: "Terminating", new: "InService"}
    assert cloud.refreshed() == ("InProgress", 100, 0, None)
    drained(cloud)
    assert cloud.members() == {new: "InService"}
    assert cloud.refreshed() == ("Successful", 100, 0, None)
    assert versions(cloud) == {new: "2"}
    causes = {one["Description"].split(": ")[1].split(" ")[0]: one["Cause"] for one in cloud.activities()}
    assert causes[new][24:] == "an instance was launched in response to an instance refresh."
    assert "an instance was taken out of service in response to an instance refresh." in causes[old]


@pytest.mark.parametrize("said", ["initial", "unhealthy"])
def test_the_warm_up_of_a_machine_that_does_not_serve_is_as_long_as_by_the_clock(cloud: Cloud, said: str) -> None:
    """The clock of these tests runs ten times faster, and a machine that may serve yet boots as fast as ever."""
    [old] = rolling(cloud, 1, LAUNCH_FIRST)
    cloud.passes()
    [new] = cloud.boots()
    cloud.balancer_says(said, new)
    cloud.passes(10 * WARMUP - 1)
    assert cloud.members() == {old: "InService", new: "InService"}
    assert cloud.refreshed() == ("InProgress", 0, 1, warming(new))
    cloud.passes(2)
    assert cloud.members() == {old: "Terminating", new: "InService"}


def test_without_room_for_more_one_instance_ends_before_its_successor_starts(cloud: Cloud) -> None:
    first, second = rolling(cloud, 2, ONE_AFTER_THE_OTHER)
    cloud.passes()
    assert sorted(cloud.members().values()) == ["InService", "Pending", "Terminating"]
    [new] = booted(cloud)
    cloud.passes(WARMUP - 1)
    assert cloud.refreshed() == ("InProgress", 0, 2, warming(new))
    cloud.passes(2)
    assert cloud.refreshed()[:3] == ("InProgress", 50, 1)
    assert {state for one, state in cloud.members().items() if one in (first, second)} == {"Terminating"}
    [newer] = booted(cloud)
    cloud.passes(WARMUP + 1)
    drained(cloud)
    assert cloud.refreshed() == ("Successful", 100, 0, None)
    assert versions(cloud) == {new: "2", newer: "2"}


def test_a_larger_room_replaces_all_at_once(cloud: Cloud) -> None:
    old = rolling(cloud, 2, LAUNCH_FIRST)
    cloud.passes()
    assert len(cloud.members()) == 4
    new = booted(cloud)
    cloud.passes(WARMUP + 1)
    assert {one: cloud.members()[one] for one in old} == dict.fromkeys(old, "Terminating")
    assert versions(cloud) == dict.fromkeys(new, "2")


def test_a_group_of_one_with_the_default_preferences_is_without_an_instance_meanwhile(cloud: Cloud) -> None:
    [old] = rolling(cloud, 1, {"InstanceWarmup": 0})
    cloud.passes()
    assert [state for one, state in cloud.members().items() if one == old] == ["Terminating"]
    [new] = booted(cloud)
    drained(cloud)
    assert cloud.refreshed() == ("Successful", 100, 0, None)
    assert versions(cloud) == {new: "2"}


def test_a_second_refresh_is_refused_while_one_goes_on(cloud: Cloud) -> None:
    rolling(cloud, 1, LAUNCH_FIRST)
    with pytest.raises(cloud.autoscaling.exceptions.InstanceRefreshInProgressFault) as caught:
        cloud.autoscaling.start_instance_refresh(AutoScalingGroupName=cloud.group)
    assert caught.value.response["Error"]["Message"] == (
        "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh."
    )


def test_what_matches_already_is_not_replaced_if_asked(cloud: Cloud) -> None:
    cloud.create(MinSize=1)
    [one] = booted(cloud)
    cloud.autoscaling.start_instance_refresh(
        AutoScalingGroupName=cloud.group, Preferences={**LAUNCH_FIRST, "SkipMatching": True}
    )
    cloud.passes()
    assert cloud.refreshed() == ("Successful", 100, 0, None)
    assert cloud.members() == {one: "InService"}


def test_an_empty_group_is_refreshed_at_once(cloud: Cloud) -> None:
    cloud.create()
    cloud.autoscaling.start_instance_refresh(AutoScalingGroupName=cloud.group)
    cloud.passes()
    assert cloud.refreshed() == ("Successful", 100, 0, None)


def test_a_cancelled_refresh_replaces_nothing_more(cloud: Cloud) -> None:
    [old] = rolling(cloud, 1, LAUNCH_FIRST)
    cloud.passes()
    cloud.autoscaling.cancel_instance_refresh(AutoScalingGroupName=cloud.group, WaitForTransitioningInstances=False)
    assert cloud.refreshed()[0] == "Cancelling"
    cloud.passes()
    assert cloud.refreshed() == ("Cancelled", 0, 1, "Cancelled due to user request.")
    [new] = [one for one in cloud.members() if one != old]
    assert cloud.members() == {old: "Terminating", new: "Pending"}, "one too many: that of the oldest template ends"
    with pytest.raises(cloud.autoscaling.exceptions.ActiveInstanceRefreshNotFoundFault):
        cloud.autoscaling.cancel_instance_refresh(AutoScalingGroupName=cloud.group)


def test_a_cancelled_refresh_leaves_the_replica_that_serves_if_the_newest_ends_first(cloud: Cloud) -> None:
    [old] = rolling(cloud, 1, LAUNCH_FIRST, NEWEST_FIRST)
    [new] = cloud.boots()
    cloud.autoscaling.cancel_instance_refresh(AutoScalingGroupName=cloud.group, WaitForTransitioningInstances=False)
    cloud.passes()
    assert cloud.refreshed() == ("Cancelled", 0, 1, "Cancelled due to user request.")
    assert cloud.members() == {old: "InService", new: "Terminating"}


def test_a_refresh_replaces_in_the_order_of_the_termination_policies(cloud: Cloud) -> None:
    cloud.create(MinSize=1, TerminationPolicies=["NewestInstance"])
    [first] = cloud.boots()
    cloud.update(MinSize=2)
    cloud.passes(60)
    [second] = cloud.boots()
    cloud.new_version()
    cloud.update(LaunchTemplate={"LaunchTemplateId": cloud.template, "Version": "2"})
    cloud.autoscaling.start_instance_refresh(AutoScalingGroupName=cloud.group, Preferences=ONE_AFTER_THE_OTHER)
    cloud.passes()
    [new] = [one for one in cloud.members() if one not in (first, second)]
    assert cloud.members() == {first: "InService", second: "Terminating", new: "Pending"}


def test_a_cancellation_waits_for_what_is_on_its_way(cloud: Cloud) -> None:
    rolling(cloud, 2, ONE_AFTER_THE_OTHER)
    cloud.passes()
    cloud.autoscaling.cancel_instance_refresh(AutoScalingGroupName=cloud.group)
    booted(cloud)
    assert cloud.refreshed()[0] == "Cancelling"
    drained(cloud)
    cloud.passes()
    assert cloud.refreshed()[0] == "Cancelled"
    assert sorted(versions(cloud).values()) == ["1", "2"]


def test_a_rollback_brings_the_earlier_version_back(cloud: Cloud) -> None:
    [old] = rolling(cloud, 1, LAUNCH_FIRST, DesiredConfiguration=desired(cloud))
    booted(cloud)
    cloud.passes(WARMUP + 1)
    drained_new = [one for one in cloud.members() if one != old]
    cloud.autoscaling.rollback_instance_refresh(AutoScalingGroupName=cloud.group)
    cloud.passes()
    assert cloud.refreshed()[0] == "RollbackInProgress"
    assert cloud.refresh()["RollbackDetails"]["PercentageCompleteOnRollback"] == 100
    [back] = booted(cloud)
    cloud.passes(WARMUP + 1)
    assert cloud.members()[drained_new[0]] == "Terminating"
    drained(cloud)
    assert cloud.refreshed()[:2] == ("RollbackSuccessful", 0)
    assert versions(cloud) == {back: "1"}
    assert cloud.described()["LaunchTemplate"]["Version"] == "1"


def test_a_refresh_without_a_desired_configuration_cannot_go_back(cloud: Cloud) -> None:
    rolling(cloud, 1, LAUNCH_FIRST)
    with pytest.raises(cloud.autoscaling.exceptions.IrreversibleInstanceRefreshFault):
        cloud.autoscaling.rollback_instance_refresh(AutoScalingGroupName=cloud.group)


def test_a_successful_refresh_leaves_its_configuration_with_the_group(cloud: Cloud) -> None:
    rolling(cloud, 1, LAUNCH_FIRST, DesiredConfiguration=desired(cloud))
    assert cloud.described()["LaunchTemplate"]["Version"] == "1"
    booted(cloud)
    cloud.passes(WARMUP + 1)
    drained(cloud)
    assert (cloud.refreshed()[0], cloud.described()["LaunchTemplate"]["Version"]) == ("Successful", "2")


def test_instances_that_never_boot_fail_the_refresh_after_an_hour(cloud: Cloud) -> None:
    [old] = rolling(cloud, 1, LAUNCH_FIRST)
    cloud.passes()
    cloud.passes(3599)
    assert cloud.refreshed()[0] == "InProgress"
    cloud.passes(3600)
    assert cloud.refreshed()[:2] == ("Failed", 0)
    assert cloud.members()[old] == "Terminating", "one too many: that of the oldest template ends"


def test_a_failed_refresh_leaves_the_replica_that_serves_if_the_newest_ends_first(cloud: Cloud) -> None:
    [old] = rolling(cloud, 1, LAUNCH_FIRST, NEWEST_FIRST)
    cloud.passes()
    [new] = [one for one in cloud.members() if one != old]
    cloud.passes(3599)
    cloud.passes(3600)
    assert cloud.refreshed()[:2] == ("Failed", 0)
    assert cloud.members() == {old: "InService", new: "Terminating"}


def test_an_alarm_rolls_a_refresh_back_by_itself(cloud: Cloud) -> None:
    cloudwatch = cloud.client("cloudwatch")
    alarm = f"{cloud.group}-errors"
    cloudwatch.put_metric_alarm(
        AlarmName=alarm,
        Namespace="n",
        MetricName="m",
        Period=60,
        EvaluationPeriods=1,
        Statistic="Sum",
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    watched = {**LAUNCH_FIRST, "AutoRollback": True, "AlarmSpecification": {"Alarms": [alarm]}}
    [old] = rolling(cloud, 1, watched, DesiredConfiguration=desired(cloud))
    cloud.passes()
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="test")
    cloud.passes()
    assert cloud.refreshed()[0] == "RollbackInProgress"
    assert (
        cloud.refresh()["RollbackDetails"]["RollbackReason"] == f"The CloudWatch alarm {alarm} is in the ALARM state."
    )
    for _ in range(2):
        booted(cloud)
        cloud.passes(WARMUP + 1)
        drained(cloud)
    assert cloud.refreshed()[0] == "RollbackSuccessful"
    assert set(versions(cloud).values()) == {"1"}
    assert len(versions(cloud)) == 1
    cloudwatch.delete_alarms(AlarmNames=[alarm])
    assert old not in cloud.members() or cloud.members()[old] == "InService"


def test_a_checkpoint_holds_a_refresh_for_its_delay(cloud: Cloud) -> None:
    rolling(cloud, 2, {**ONE_AFTER_THE_OTHER, "CheckpointPercentages": [50, 100], "CheckpointDelay": 500})
    booted(cloud)
    cloud.passes(WARMUP + 1)
    assert cloud.refreshed()[:2] == ("InProgress", 50)
    cloud.passes(499)
    assert sorted(versions(cloud).values()) == ["1", "2"]
    cloud.passes(2)
    assert list(versions(cloud).values()) == ["2"]


@pytest.mark.parametrize(
    ("choice", "replaced"), [({}, False), ({"ScaleInProtectedInstances": "Refresh"}, True)], ids=["waits", "refreshes"]
)
def test_a_protected_instance_is_waited_for_unless_it_is_to_be_refreshed(
    cloud: Cloud, choice: dict[str, str], replaced: bool
) -> None:
    cloud.create(MinSize=1, NewInstancesProtectedFromScaleIn=True)
    [one] = booted(cloud)
    cloud.autoscaling.start_instance_refresh(AutoScalingGroupName=cloud.group, Preferences={**LAUNCH_FIRST, **choice})
    cloud.passes()
    booted(cloud)
    cloud.passes(WARMUP + 1)
    assert (cloud.members()[one] == "Terminating") is replaced
    if not replaced:
        why = f"{one} is protected. Remove instance scale-in protection to continue."
        assert cloud.refreshed()[3] == f"Waiting for remaining instances to be available. For example: {why}"


def test_room_of_more_than_a_group_is_refused(cloud: Cloud) -> None:
    cloud.create()
    for preferences in ({"MinHealthyPercentage": 90, "MaxHealthyPercentage": 200}, {"MaxHealthyPercentage": 110}):
        with pytest.raises(cloud.autoscaling.exceptions.ClientError, match="ValidationError"):
            cloud.autoscaling.start_instance_refresh(AutoScalingGroupName=cloud.group, Preferences=preferences)
