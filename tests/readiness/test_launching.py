"""Instances that AWS does not start: which failures are waited out, which end the wait, and which cause is named."""

from __future__ import annotations

import pytest

from infra.readiness import Served
from tests.readiness.cloud import GROUP, Cloud, health, launch_fails, starts
from tests.readiness.outcomes import ENDED, FIRST, STARTED, A, waits

QUOTA = (
    "Could not launch On-Demand Instances. VcpuLimitExceeded - You have requested more vCPU capacity than your current "
    "vCPU limit of 8 allows for the instance bucket that the specified instance type belongs to. Please visit "
    "http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit. Launching EC2 "
    "instance failed."
)

NO_CAPACITY = (
    "Could not launch On-Demand Instances. InsufficientInstanceCapacity - We currently do not have "
    "sufficient g5.xlarge "
    "capacity in the Availability Zone you requested (us-east-1a). Launching EC2 instance failed."
)


def test_no_capacity_is_waited_out_and_a_replica_then_has_its_whole_time() -> None:
    cloud = Cloud(
        [
            (30, launch_fails(NO_CAPACITY)),
            (90, launch_fails(NO_CAPACITY)),
            (1700, starts(A)),
            (3400, health(A, "healthy")),
        ]
    )
    ended, said = waits(cloud)
    assert ended == Served(instance=A, seconds=3400)
    assert said == [
        FIRST,
        "[ 0:30] no instance started: AWS has no capacity for these instance types in these zones now (AWS: "
        "InsufficientInstanceCapacity - We currently do not have sufficient g5.xlarge capacity in the "
        "Availability Zone "
        "you requested (us-east-1a)); Auto Scaling tries again",
        f"[28:20] {STARTED}",
        f"[56:40] {A}: healthy",
        "[56:40] yellow-cat-1 serves",
    ]


def test_no_capacity_until_the_end_is_named_and_the_group_set_to_zero() -> None:
    cloud = Cloud([(float(at), launch_fails(NO_CAPACITY)) for at in range(30, 1800, 300)])
    ended, _ = waits(cloud)
    assert ended == (
        "yellow-cat-1 does not serve: no instance started: AWS has no capacity for these instance types in these "
        "zones now (AWS: InsufficientInstanceCapacity - We currently do not have sufficient g5.xlarge capacity in the "
        "Availability Zone you requested (us-east-1a))\n"
        f"  billing: {ENDED}\n"
        "  remedy: allow more instance types (a wider resources.gpu) or more zones, or try again later"
    )
    assert (cloud.time, cloud.done) == (1800, ["update min=0 desired=0"])


def test_a_wait_for_capacity_can_be_longer_than_the_time_of_a_replica() -> None:
    cloud = Cloud([(60, launch_fails(NO_CAPACITY)), (3500, starts(A)), (5000, health(A, "healthy"))])
    assert waits(cloud, capacity_timeout=3600)[0] == Served(instance=A, seconds=5000)


def test_a_wait_for_capacity_ends_when_its_own_time_is_over() -> None:
    cloud = Cloud([])
    ended, _ = waits(cloud, capacity_timeout=600)
    assert isinstance(ended, str)
    assert "no instance started within 10 minutes, and Auto Scaling gives no reason" in ended
    assert (cloud.time, cloud.done) == (600, ["update min=0 desired=0"])


def test_a_quota_that_stays_used_up_ends_the_wait_after_three_minutes() -> None:
    cloud = Cloud([(10, launch_fails(QUOTA)), (70, launch_fails(QUOTA))])
    ended, said = waits(cloud)
    assert ended == (
        "yellow-cat-1 does not serve: no instance started: the account's vCPU quota for on-demand "
        "instances of this "
        "family is used up (AWS: VcpuLimitExceeded - You have requested more vCPU capacity than your current "
        "vCPU limit "
        "of 8 allows for the instance bucket that the specified instance type belongs to. Please visit "
        "http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit)\n"
        f"  billing: {ENDED}\n"
        "  remedy: request more under Service Quotas, Amazon EC2 (G and VT: L-DB2E81BA, P: L-417A185B), or end other "
        "instances of this family"
    )
    assert [line[:35] for line in said] == [
        FIRST[:35],
        "[ 0:10] no instance started: the ac",
        "[ 3:10] yellow-cat-1 does not serve",
    ]


def test_a_quota_that_is_freed_in_time_ends_nothing() -> None:
    cloud = Cloud([(10, launch_fails(QUOTA)), (150, starts(A)), (400, health(A, "healthy"))])
    assert waits(cloud)[0] == Served(instance=A, seconds=400)


def test_what_failed_before_the_wait_began_is_no_reason() -> None:
    image = "The image id '[ami-1]' does not exist. Launching EC2 instance failed."
    cloud = Cloud([(0, launch_fails(image)), (20, starts(A)), (30, health(A, "healthy"))])
    assert waits(cloud)[0] == Served(instance=A, seconds=30)


def test_a_failure_that_may_heal_is_not_taken_for_lasting_before_it_was_tried_again() -> None:
    cloud = Cloud([(10, launch_fails(QUOTA)), (1000, launch_fails(QUOTA))])
    waits(cloud)
    assert cloud.time == 1000


def test_a_machine_image_that_is_gone_ends_the_wait_at_once() -> None:
    image = "Could not launch On-Demand Instances. InvalidAMIID.NotFound - The image id '[ami-1]' does not exist. "
    cloud = Cloud([(10, launch_fails(f"{image}Launching EC2 instance failed."))])
    ended, _ = waits(cloud)
    assert ended == (
        "yellow-cat-1 does not serve: no instance started: the machine image does not exist or cannot be run (AWS: "
        "InvalidAMIID.NotFound - The image id '[ami-1]' does not exist)\n"
        f"  billing: {ENDED}\n"
        "  remedy: correct the stack config ami, or remove it"
    )
    assert cloud.time == 10


@pytest.mark.parametrize(
    ("change", "cause", "remedy"),
    [
        (
            {"version": 3},
            "the group uses version 3 of its launch template, but version 2 is expected: something else has changed "
            "the group",
            "\n  remedy: run pulumi up --refresh",
        ),
        (
            {"suspended": ["Launch"]},
            "no instance started within 30 minutes: the group's process Launch or Terminate is suspended",
            f"\n  remedy: run aws autoscaling resume-processes --auto-scaling-group-name {GROUP} --region us-east-1",
        ),
        (
            {"refresh": {"InstanceRefreshId": "old", "Status": "Failed", "StatusReason": "It took too long."}},
            "the roll ended with the status Failed at 0 %: It took too long.",
            "",
        ),
        (
            {},
            "no instance started within 30 minutes, and Auto Scaling gives no reason",
            "\n  remedy: read the group's activity history in the EC2 console",
        ),
    ],
)
def test_that_nothing_is_started_has_a_reason(change: dict[str, object], cause: str, remedy: str) -> None:
    def changed(cloud: Cloud) -> None:
        for name, value in change.items():
            setattr(cloud, name, value)

    report = f"yellow-cat-1 does not serve: {cause}\n  billing: {ENDED}{remedy}"
    assert waits(Cloud([(10, changed)]))[0] == report
