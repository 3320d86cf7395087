"""Waiting when there are replicas of the previous version: the roll, and what a failed update leaves."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from infra.readiness import Served
from tests.readiness.cloud import (
    Cloud,
    Event,
    fails,
    health,
    launch_fails,
    leaves,
    refreshes,
    refusal,
    says,
    starts,
    together,
)
from tests.readiness.outcomes import FIRST, LOGS, OLD, STARTED, TAKEN, A, B, waits

FROZEN = " The group starts and ends no instances by itself until you run pulumi up or make wait again."


def test_an_update_serves_when_a_replica_of_the_new_version_is_healthy() -> None:
    cloud = Cloud(
        [
            (0, together(starts(OLD, version=1), health(OLD, "healthy"), refreshes("InProgress"))),
            (40, starts(A)),
            (200, together(health(A, "healthy"), refreshes("InProgress", 50))),
        ]
    )
    ended, said = waits(cloud)
    assert ended == Served(instance=A, seconds=200), "a replica of the previous version does not end the wait"
    assert said == [
        FIRST,
        "[ 0:00] roll: InProgress, 0 %",
        f"[ 0:40] {STARTED}",
        f"[ 3:20] {A}: healthy",
        "[ 3:20] roll: InProgress, 50 %",
        "[ 3:20] yellow-cat-1 serves",
    ]


def test_a_successful_refresh_serves_even_where_another_change_has_made_a_newer_version() -> None:
    cloud = Cloud(
        [
            (0, together(starts(OLD, version=1), health(OLD, "healthy"), refreshes("InProgress"))),
            (40, starts(B, version=3)),
            (200, together(health(B, "healthy"), leaves(OLD, "replaced"), refreshes("Successful", 100))),
        ]
    )
    ended, said = waits(cloud)
    assert ended == Served(instance=B, seconds=200)
    assert said[1:] == [
        "[ 0:00] roll: InProgress, 0 %",
        f"[ 3:20] {OLD} is removed: replaced",
        "[ 3:20] roll: Successful, 100 %",
        "[ 3:20] yellow-cat-1 serves",
    ]


def test_a_failed_refresh_leaves_the_replicas_that_serve_and_ends_the_others() -> None:
    cloud = Cloud(
        [
            (0, together(starts(OLD, version=1), health(OLD, "healthy"), refreshes("InProgress"))),
            (40, together(starts(A), says(A, "pulling image", 10))),
            (300, refreshes("Failed", 0, "It could not become healthy in time.")),
        ]
    )
    ended, said = waits(cloud)
    assert ended == (
        "yellow-cat-1 does not serve: the roll ended with the status Failed at 0 %: It could not become healthy in "
        "time.\n"
        "  billing: 1 replica of the previous version still serves and is billed as before. The other replica is "
        f"ended.{FROZEN}"
    )
    assert cloud.done == ["suspend Launch Terminate", f"terminate {A}", f"detach {A}"]
    assert (cloud.minimum, cloud.desired) == (1, 1)
    assert said[-2] == "[ 5:00] roll: Failed, 0 %: It could not become healthy in time."


def test_a_failed_refresh_counts_the_replicas_that_it_ends() -> None:
    cloud = Cloud(
        [
            (0, together(starts(OLD, version=1), health(OLD, "healthy"), refreshes("InProgress"))),
            (40, together(starts(A), starts(B))),
            (300, refreshes("Failed", 0, "It could not become healthy in time.")),
        ]
    )
    assert str(waits(cloud)[0]).splitlines()[1] == (
        "  billing: 1 replica of the previous version still serves and is billed as before. The other 2 replicas are "
        f"ended.{FROZEN}"
    )


def test_a_new_version_that_gives_up_stops_the_refresh_too() -> None:
    cloud = Cloud(
        [
            (0, together(starts(OLD, version=1), health(OLD, "healthy"), refreshes("InProgress"))),
            (40, starts(A)),
            (60, says(A, "pulling image", cause="the image was not found", final=True)),
        ]
    )
    assert str(waits(cloud)[0]).startswith("yellow-cat-1 does not serve: the image was not found\n")
    assert cloud.done == ["suspend Launch Terminate", f"terminate {A}", "cancel refresh", f"detach {A}"]


def test_what_is_ending_its_last_requests_is_left_to_end_them() -> None:
    cloud = Cloud(
        [
            (
                0,
                together(
                    starts(OLD, version=1), health(OLD, "draining"), starts(A), says(A, "x", cause="y", final=True)
                ),
            )
        ]
    )
    waits(cloud)
    assert cloud.done == ["update min=0 desired=0", f"terminate {A}"]


def test_an_instance_that_cannot_be_taken_out_of_the_group_is_ended_all_the_same() -> None:
    refused = refusal("ValidationError", "The instance i-0aaaaaaaaaaaaaaaa is not in InService")
    cloud = Cloud(
        [
            (0, together(starts(OLD, version=1), health(OLD, "healthy"), refreshes("InProgress"))),
            (0, fails("detach_instances", refused)),
            (40, together(starts(A), says(A, "pulling image", cause="the image was not found", final=True))),
        ]
    )
    assert "1 replica of the previous version still serves and is billed as before" in str(waits(cloud)[0])
    assert cloud.done == ["suspend Launch Terminate", f"terminate {A}", "cancel refresh"]


@pytest.mark.parametrize(("operation", "frozen"), [("suspend_processes", ""), ("terminate_instances", FROZEN)])
def test_where_something_serves_a_stop_that_is_refused_does_not_tell_to_end_it_all(operation: str, frozen: str) -> None:
    cloud = Cloud(
        [
            (0, together(starts(OLD, version=1), health(OLD, "healthy"), refreshes("InProgress"))),
            (0, fails(operation, refusal("UnauthorizedOperation", "not this"))),
            (40, together(starts(A), says(A, "pulling image", cause="the image was not found", final=True))),
        ]
    )
    assert str(waits(cloud)[0]).endswith(
        "  billing: NOT STOPPED (UnauthorizedOperation: not this): 1 replica of the previous version still serves and "
        f"is billed as before.{frozen} Replicas that do not serve may be billed too. End them with: aws ec2 "
        f"terminate-instances --instance-ids {A} --region us-east-1\n  logs: {LOGS}"
    )


def test_an_instance_that_is_gone_keeps_no_other_from_being_ended() -> None:
    class Partly(Cloud):
        def terminate_instances(self, *, InstanceIds: Sequence[str]) -> None:
            if A in InstanceIds:
                raise refusal("InvalidInstanceID.NotFound")
            super().terminate_instances(InstanceIds=InstanceIds)

    gone = [says(name, "pulling image", cause="not found", final=True) for name in (A, B)]
    cloud = Partly([(0, together(starts(A), starts(B), *gone))], desired=2)
    waits(cloud)
    assert cloud.done == ["update min=0 desired=0", f"terminate {B}"]


def test_after_a_failed_update_the_same_one_is_tried_again() -> None:
    """The failed update cancelled its refresh, and AWS starts a new one only when the group changes."""
    cloud = Cloud(
        [
            (0, together(starts(OLD, version=1), health(OLD, "healthy"), refreshes("Cancelled"))),
            (20, refreshes("InProgress", id="refresh-2")),
            (40, starts(A)),
            (200, health(A, "healthy")),
        ],
        suspended=["Launch", "Terminate"],
    )
    ended, said = waits(cloud)
    assert ended == Served(instance=A, seconds=200)
    assert cloud.done == ["resume Launch Terminate", "start refresh 100 200 2100"]
    assert said == [
        FIRST,
        "[ 0:00] roll: replicas of version 2 replace those of other versions",
        "[ 0:10] roll: Pending, 0 %",
        "[ 0:20] roll: InProgress, 0 %",
        f"[ 0:40] {STARTED}",
        f"[ 3:20] {A}: healthy",
        "[ 3:20] yellow-cat-1 serves",
    ]


def test_what_a_failed_update_has_not_yet_ended_keeps_the_same_one_from_nothing() -> None:
    """The user tries again at once: the refresh is still being cancelled, the ended replica is still in the group."""
    cloud = Cloud(
        [
            (0, together(starts(OLD, version=1), health(OLD, "healthy"), starts(A), refreshes("Cancelling"))),
            (20, refreshes("Cancelled")),
            (40, leaves(A, TAKEN)),
            (60, starts(B)),
            (200, health(B, "healthy")),
        ],
        suspended=["Launch", "Terminate"],
    )
    assert waits(cloud)[0] == Served(instance=B, seconds=200)
    assert cloud.done == ["resume Launch Terminate", "start refresh 100 200 2100"]


def test_a_refresh_that_fails_at_once_is_told_though_nobody_saw_it_going() -> None:
    cloud = Cloud(
        [
            (0, together(starts(OLD, version=1), health(OLD, "healthy"))),
            (10, refreshes("Failed", 0, "No instance type fits.", id="refresh-2")),
        ]
    )
    assert str(waits(cloud)[0]).startswith(
        "yellow-cat-1 does not serve: the roll ended with the status Failed at 0 %: No instance type fits.\n"
    )
    assert cloud.time == 10


def test_a_refresh_that_fails_because_no_instance_starts_names_why() -> None:
    message = "InsufficientInstanceCapacity - We currently do not have sufficient g5.xlarge capacity"
    cloud = Cloud(
        [
            (0, together(starts(OLD, version=1), health(OLD, "healthy"), refreshes("InProgress"))),
            (60, launch_fails(f"{message}. Launching EC2 instance failed.")),
            (300, refreshes("Failed", 0, "Instances did not become healthy in time.")),
        ]
    )
    assert waits(cloud)[0] == (
        "yellow-cat-1 does not serve: no instance started: AWS has no capacity for these instance types in these zones "
        f"now (AWS: {message})\n"
        "  billing: 1 replica of the previous version still serves and is billed as before."
        f"{FROZEN}\n"
        "  remedy: allow more instance types (a wider resources.gpu) or more zones, or try again later"
    )


@pytest.mark.parametrize(
    "began",
    [
        together(starts(OLD, version=1), refreshes("Pending")),
        together(starts(OLD, version=1), fails("start_instance_refresh", refusal("InstanceRefreshInProgress"))),
        together(starts(OLD, version=1), starts(A)),
        starts(A),
        lambda cloud: None,
    ],
    ids=["one goes", "one has just begun", "one is there already", "there is no other", "there is none"],
)
def test_nothing_is_replaced_without_need(began: Event) -> None:
    cloud = Cloud([(0, began), (30, together(starts(A), health(A, "healthy")))])
    assert waits(cloud)[0] == Served(instance=A, seconds=30)
    assert cloud.done == []


def test_an_instance_that_the_group_takes_for_unhealthy_says_nothing_of_the_next() -> None:
    """A failed update has ended the replica; the group kept it while it was not allowed to end instances."""
    cloud = Cloud([(0, together(starts(A), says(A, "pulling image", cause="not found", final=True)))])
    cloud.happen()
    cloud.replicas[A]["HealthStatus"] = "Unhealthy"
    cloud.events = [(30, together(starts(B), health(B, "healthy")))]
    assert waits(cloud)[0] == Served(instance=B, seconds=30)


def test_a_refresh_that_failed_before_the_wait_began_is_no_reason() -> None:
    cloud = Cloud([(0, together(refreshes("Failed"), starts(A))), (30, health(A, "healthy"))])
    ended, said = waits(cloud)
    assert ended == Served(instance=A, seconds=30)
    assert said == [FIRST, f"[ 0:00] {STARTED}", f"[ 0:30] {A}: healthy", "[ 0:30] yellow-cat-1 serves"]
