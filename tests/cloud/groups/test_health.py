"""What a group finds unhealthy, and what it does then."""

from __future__ import annotations

import pytest

from tests.cloud.groups.world import Cloud, without_moment

REPLACED = "an instance was launched in response to an unhealthy instance needing to be replaced."


def causes(cloud: Cloud) -> list[str]:
    """The causes of all but the first activity, without their moments."""
    return [without_moment(one["Cause"].split("  ")[0]) for one in cloud.activities()[1:]]


def test_an_instance_that_a_user_finds_unhealthy_is_replaced_while_it_drains(cloud: Cloud) -> None:
    cloud.create(MinSize=1)
    [one] = cloud.boots()
    cloud.balancer_says("healthy", one)
    cloud.autoscaling.set_instance_health(InstanceId=one, HealthStatus="Unhealthy")
    cloud.passes()
    [two] = cloud.boots()
    assert cloud.members() == {one: "Terminating", two: "InService"}
    assert cloud.targets() == {one: "draining", two: "initial"}
    assert sorted(causes(cloud)) == sorted(
        ["an instance was taken out of service in response to a user health-check.", REPLACED]
    )


@pytest.mark.parametrize(("respected", "state"), [(True, "InService"), (False, "Terminating")])
def test_the_grace_period_protects_from_users_unless_they_say_otherwise(
    cloud: Cloud, respected: bool, state: str
) -> None:
    cloud.create(MinSize=1, HealthCheckGracePeriod=300)
    [one] = cloud.boots()
    cloud.autoscaling.set_instance_health(InstanceId=one, HealthStatus="Unhealthy", ShouldRespectGracePeriod=respected)
    cloud.passes(299)
    assert cloud.members()[one] == state


@pytest.mark.parametrize("became", ["terminated", "stopped"])
def test_a_machine_that_does_not_run_is_replaced(cloud: Cloud, became: str) -> None:
    cloud.create(MinSize=1, HealthCheckGracePeriod=300)
    [one] = cloud.boots()
    cloud.plane.instance_became(one, became)
    cloud.passes()
    [two] = cloud.boots()
    assert cloud.members() == {one: "Terminating", two: "InService"}
    assert sorted(causes(cloud)) == sorted(
        [
            "an instance was taken out of service in response to an EC2 health check indicating it has been "
            "terminated or stopped.",
            REPLACED,
        ]
    )
    cloud.passes(300)
    cloud.ends()
    assert cloud.members() == {two: "InService"}
    assert {instance["id"]: instance["state"] for instance in cloud.instances()} == {one: "terminated", two: "running"}


def test_the_load_balancer_decides_only_with_the_health_check_type_elb_and_after_the_grace_period(
    cloud: Cloud,
) -> None:
    cloud.create(MinSize=1, HealthCheckGracePeriod=300)
    [one] = cloud.boots()
    cloud.balancer_says("unhealthy", one)
    cloud.passes(301)
    assert cloud.members() == {one: "InService"}, "EC2 ignores it"
    cloud.update(HealthCheckType="ELB")
    cloud.passes()
    assert cloud.members()[one] == "Terminating"
    assert causes(cloud)[0] == "an instance was taken out of service in response to an ELB system health check failure."
    [two] = cloud.boots()
    cloud.balancer_says("unhealthy", two)
    cloud.passes(299)
    assert cloud.members()[two] == "InService"


def test_what_ends_over_ec2_is_found_by_the_health_check(cloud: Cloud) -> None:
    cloud.create(MinSize=1)
    [one] = cloud.boots()
    cloud.ec2.terminate_instances(InstanceIds=[one])
    assert cloud.members() == {one: "InService"}
    cloud.passes()
    assert cloud.members()[one] == "Terminating"
    assert len(cloud.members()) == 2


def test_a_group_that_may_not_launch_or_terminate_leaves_everything_as_it_is(cloud: Cloud) -> None:
    cloud.create(MinSize=1)
    [one] = cloud.boots()
    frozen = {"AutoScalingGroupName": cloud.group, "ScalingProcesses": ["Launch", "Terminate"]}
    cloud.autoscaling.suspend_processes(**frozen)
    cloud.ec2.terminate_instances(InstanceIds=[one])
    cloud.ends()
    assert [(member["InstanceId"], member["HealthStatus"]) for member in cloud.described()["Instances"]] == [
        (one, "Unhealthy")
    ]
    cloud.update(DesiredCapacity=3)
    cloud.passes()
    assert len(cloud.instances()) == 1
    cloud.autoscaling.resume_processes(**frozen)
    cloud.passes()
    assert sorted(cloud.members().values()) == ["Pending", "Pending", "Pending", "Terminating"]
