"""The sizes of a group: what may be asked for, and when a schedule changes them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cloud.groups.stepping import SPEED
from tests.cloud.groups.world import Cloud, without_moment


def sizes(cloud: Cloud) -> tuple[int, int, int]:
    group = cloud.described()
    return group["MinSize"], group["MaxSize"], group["DesiredCapacity"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"DesiredCapacity": 0}, "Desired capacity:0 must be between the specified min size:1 and max size:4"),
        ({"DesiredCapacity": 5}, "Desired capacity:5 must be between the specified min size:1 and max size:4"),
        ({"MaxSize": 0}, "Max bound, 0, must be greater than or equal to min bound, 1"),
    ],
)
def test_sizes_that_contradict_each_other_are_refused_in_the_words_of_aws(
    cloud: Cloud, given: dict[str, int], message: str
) -> None:
    cloud.create(MinSize=1)
    with pytest.raises(cloud.autoscaling.exceptions.ClientError) as caught:
        cloud.update(**given)
    assert caught.value.response["Error"] == {"Type": "Sender", "Code": "ValidationError", "Message": message}
    assert sizes(cloud) == (1, 4, 1)


def test_the_desired_capacity_follows_the_bounds(cloud: Cloud) -> None:
    cloud.create()
    cloud.update(MinSize=2)
    assert sizes(cloud) == (2, 4, 2)
    cloud.update(MinSize=0, MaxSize=1)
    assert sizes(cloud) == (0, 1, 1)


def test_a_capacity_beyond_the_bounds_cannot_be_set(cloud: Cloud) -> None:
    cloud.create()
    with pytest.raises(cloud.autoscaling.exceptions.ClientError) as caught:
        cloud.autoscaling.set_desired_capacity(AutoScalingGroupName=cloud.group, DesiredCapacity=5)
    assert caught.value.response["Error"]["Message"] == (
        "New SetDesiredCapacity value 5 is above max value 4 for the AutoScalingGroup."
    )


def test_an_update_changes_nothing_that_it_does_not_name(cloud: Cloud) -> None:
    cloud.create(
        HealthCheckGracePeriod=7, DefaultInstanceWarmup=9, TerminationPolicies=["OldestInstance"], DefaultCooldown=5
    )
    before = cloud.described()
    cloud.update(MaxSize=3, AvailabilityZoneDistribution=before["AvailabilityZoneDistribution"])
    assert cloud.described() == {**before, "MaxSize": 3}
    assert (before["HealthCheckGracePeriod"], before["DefaultInstanceWarmup"], before["DefaultCooldown"]) == (7, 9, 5)


def test_a_second_group_of_the_name_is_refused(cloud: Cloud) -> None:
    cloud.create()
    with pytest.raises(cloud.autoscaling.exceptions.AlreadyExistsFault):
        cloud.create()


def action(cloud: Cloud, name: str, **given: Any) -> None:
    cloud.autoscaling.put_scheduled_update_group_action(
        AutoScalingGroupName=cloud.group, ScheduledActionName=name, **given
    )


def test_a_schedule_starts_and_ends_replicas_at_its_times(cloud: Cloud) -> None:
    cloud.create(MaxSize=0)
    now = cloud.passes()
    midnight = (now // 86_400 + 1) * 86_400
    weekday = str(int(midnight // 86_400 + 4) % 7)
    action(cloud, "start-0", Recurrence=f"0 0 * * {weekday}", MinSize=1, MaxSize=2)
    action(cloud, "end-0", Recurrence="30 0 * * *", MinSize=0, MaxSize=0, DesiredCapacity=0)
    cloud.passes((midnight - now - 1) * SPEED)
    assert sizes(cloud) == (0, 0, 0)
    cloud.passes(1 * SPEED)
    assert sizes(cloud) == (1, 2, 1)
    [one] = cloud.boots()
    assert without_moment(cloud.activities()[0]["Cause"].split("  ")[0]) == (
        "a scheduled action update of AutoScalingGroup constraints to min: 1, max: 2, desired: 1 changing the desired "
        "capacity from 0 to 1."
    )
    cloud.passes(1800 * SPEED)
    assert (sizes(cloud), cloud.members()) == ((0, 0, 0), {one: "Terminating"})


def test_scheduled_actions_of_two_groups_may_have_one_name(cloud: Cloud) -> None:
    cloud.create(MaxSize=0)
    action(cloud, "start-0", Recurrence="0 8 * * *", MinSize=1, MaxSize=1)
    other = f"{cloud.group}-other"
    cloud.autoscaling.create_auto_scaling_group(
        AutoScalingGroupName=other,
        MinSize=0,
        MaxSize=0,
        VPCZoneIdentifier=cloud.subnets[0],
        LaunchTemplate={"LaunchTemplateId": cloud.template},
    )
    cloud.autoscaling.put_scheduled_update_group_action(
        AutoScalingGroupName=other, ScheduledActionName="start-0", Recurrence="0 9 * * *", MinSize=2, MaxSize=2
    )
    described = cloud.autoscaling.describe_scheduled_actions
    for group, recurrence in ((cloud.group, "0 8 * * *"), (other, "0 9 * * *")):
        [found] = described(AutoScalingGroupName=group)["ScheduledUpdateGroupActions"]
        assert (found["Recurrence"], found["StartTime"].hour) == (recurrence, int(recurrence[2]))
    cloud.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=other)
    assert described(AutoScalingGroupName=other)["ScheduledUpdateGroupActions"] == []
    assert len(described(AutoScalingGroupName=cloud.group)["ScheduledUpdateGroupActions"]) == 1


def test_a_recurrence_that_is_none_is_refused(cloud: Cloud) -> None:
    cloud.create()
    with pytest.raises(cloud.autoscaling.exceptions.ClientError, match="Given recurrence string: 0 25 "):
        action(cloud, "never", Recurrence="0 25 * * *", MinSize=0)


def test_the_metrics_of_a_group_are_those_that_are_enabled(cloud: Cloud) -> None:
    cloud.create()
    chosen = ["GroupDesiredCapacity", "GroupInServiceInstances"]
    cloud.autoscaling.enable_metrics_collection(AutoScalingGroupName=cloud.group, Granularity="1Minute", Metrics=chosen)
    assert [one["Metric"] for one in cloud.described()["EnabledMetrics"]] == chosen
    cloud.autoscaling.disable_metrics_collection(AutoScalingGroupName=cloud.group, Metrics=chosen[:1])
    assert [one["Metric"] for one in cloud.described()["EnabledMetrics"]] == chosen[1:]
