"""Every way in which waiting for a service ends: what is printed, what is reported, what is changed on AWS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from infra.readiness import NotServingError, Served, wait_until_serving
from tests.readiness.cloud import (
    AWAITED,
    GROUP,
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

A, B, OLD = "i-0aaaaaaaaaaaaaaaa", "i-0bbbbbbbbbbbbbbbb", "i-00000000000000000"
LOGS = f"aws logs tail /servestack/yellow-cat-1 --log-stream-names {A}/boot {A}/container --since 1d --region us-east-1"
FIRST = "[ 0:00] waiting for yellow-cat-1 to serve; a replica has 30 minutes for it"
STARTED = f"{A} (g5.xlarge, us-east-1a): started"
GOING_ON = (
    "Nothing was stopped: replicas go on, and are billed. Stop them with: aws autoscaling update-auto-scaling-group "
    f"--auto-scaling-group-name {GROUP} --min-size 0 --desired-capacity 0 --region us-east-1"
)
ENDED = "The group was set to zero and its instances have ended: nothing of it is billed any more."
QUOTA = (
    "Could not launch On-Demand Instances. VcpuLimitExceeded - You have requested more vCPU capacity than your current "
    "vCPU limit of 0 allows for the instance bucket that the specified instance type belongs to. Please visit "
    "http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit. Launching EC2 "
    "instance failed."
)
NO_CAPACITY = (
    "Could not launch On-Demand Instances. InsufficientInstanceCapacity - We currently do not have "
    "sufficient g5.xlarge "
    "capacity in the Availability Zone you requested (us-east-1a). Launching EC2 instance failed."
)


def waits(cloud: Cloud, **changed: object) -> tuple[Served | str, list[str]]:
    """What waiting ends with, and what it printed."""
    said: list[str] = []
    try:
        ended: Served | str = wait_until_serving(
            replace(AWAITED, **changed),  # pyright: ignore[reportArgumentType]
            cloud.clients(),
            clock=cloud,
            say=said.append,
        )
    except NotServingError as error:
        ended = str(error)
    return ended, said


def test_a_replica_that_becomes_healthy_serves() -> None:
    cloud = Cloud(
        [
            (15, starts(A)),
            (45, says(A, "machine ready")),
            (60, says(A, "GPUs found: 1")),
            (65, together(says(A, "waiting for port 80, 3.2 GB of weights on disk"), health(A, "initial"))),
            (95, together(says(A, "serving", 100), health(A, "healthy"))),
        ]
    )
    assert waits(cloud) == (
        Served(instance=A, seconds=100),
        [
            FIRST,
            f"[ 0:20] {STARTED}",
            f"[ 0:50] {A}: machine ready",
            f"[ 1:00] {A}: GPUs found: 1",
            f"[ 1:10] {A}: waiting for port 80, 3.2 GB of weights on disk",
            f"[ 1:40] {A}: serving, 100 %",
            f"[ 1:40] {A}: healthy",
            "[ 1:40] yellow-cat-1 serves",
        ],
    )
    assert cloud.done == [], "a group that is as the plan has it is left alone"


def test_a_slow_pull_is_shown_as_it_gets_on_and_only_then() -> None:
    pulling = [(30.0 + 60 * index, says(A, "pulling image", 10 * index)) for index in range(11)]
    cloud = Cloud([(0, starts(A)), *pulling, (700, health(A, "healthy"))])
    ended, said = waits(cloud)
    assert ended == Served(instance=A, seconds=700)
    assert said == [
        FIRST,
        f"[ 0:00] {STARTED}",
        *(f"[{minute:2d}:30] {A}: pulling image, {10 * minute} %" for minute in range(11)),
        f"[11:40] {A}: healthy",
        "[11:40] yellow-cat-1 serves",
    ]


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
        "[ 0:30] no instance was started: AWS has no capacity for these instance types in these zones now (AWS: "
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
        "yellow-cat-1 does not serve: no instance was started: AWS has no capacity for these instance types in these "
        "zones now (AWS: InsufficientInstanceCapacity - We currently do not have sufficient g5.xlarge capacity in the "
        "Availability Zone you requested (us-east-1a))\n"
        "  remedy: offer more instance types (a wider resources.gpu) or more zones, or try later\n"
        f"  {ENDED}"
    )
    assert (cloud.time, cloud.done) == (1800, ["update min=0 desired=0"])


def test_a_quota_that_stays_used_up_ends_the_wait_after_three_minutes() -> None:
    cloud = Cloud([(10, launch_fails(QUOTA)), (70, launch_fails(QUOTA))])
    ended, said = waits(cloud)
    assert ended == (
        "yellow-cat-1 does not serve: no instance was started: the account's vCPU quota for on-demand "
        "instances of this "
        "family is used up (AWS: VcpuLimitExceeded - You have requested more vCPU capacity than your current "
        "vCPU limit "
        "of 0 allows for the instance bucket that the specified instance type belongs to. Please visit "
        "http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit)\n"
        "  remedy: ask for more under Service Quotas, Amazon EC2 (G and VT: L-DB2E81BA, P: L-417A185B), or end other "
        "instances of the family\n"
        f"  {ENDED}"
    )
    assert [line[:31] for line in said] == [
        FIRST[:31],
        "[ 0:10] no instance was started",
        "[ 3:10] does not serve: no inst",
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
        "yellow-cat-1 does not serve: no instance was started: the machine image does not exist or cannot be run (AWS: "
        "InvalidAMIID.NotFound - The image id '[ami-1]' does not exist)\n"
        "  remedy: correct the stack config ami, or remove it\n"
        f"  {ENDED}"
    )
    assert cloud.time == 10


CAUSES = {
    "image": (
        "pulling image",
        "the image ghcr.io/nobody/nothing was not found: manifest unknown",
    ),
    "gated": (
        "waiting for port 80",
        "the model is gated: accept its conditions on the Hub, and give the service a token of the account that did",
    ),
    "memory": ("waiting for port 80", "out of GPU memory: ask for more under resources.gpu"),
    "gpu": ("machine ready", "no GPU: nvidia-smi says: no devices were found"),
}


@pytest.mark.parametrize(("step", "cause"), CAUSES.values(), ids=CAUSES)
def test_a_cause_that_cannot_heal_ends_the_wait_at_once(step: str, cause: str) -> None:
    cloud = Cloud([(20, starts(A)), (40, says(A, step)), (60, says(A, step, cause=cause, final=True))])
    assert waits(cloud) == (
        f"yellow-cat-1 does not serve: {cause}\n"
        f"  replica: {A}, which came as far as: {step}\n"
        f"  logs: {LOGS}\n"
        f"  {ENDED}",
        [
            FIRST,
            f"[ 0:20] {STARTED}",
            f"[ 0:40] {A}: {step}",
            f"[ 1:00] {A}: stopped, {cause}",
            f"[ 1:00] does not serve: {cause}; stopping what is billed",
        ],
    )
    assert (cloud.minimum, cloud.desired, cloud.done) == (0, 0, ["update min=0 desired=0", f"terminate {A}"])


def test_a_cause_that_may_heal_is_shown_and_waited_out() -> None:
    cloud = Cloud(
        [
            (0, starts(A)),
            (20, says(A, "pulling image", cause="the registry limits how often images are pulled")),
            (60, says(A, "pulling image", 50)),
            (90, health(A, "healthy")),
        ]
    )
    ended, said = waits(cloud)
    assert ended == Served(instance=A, seconds=90)
    assert said[2:4] == [
        f"[ 0:20] {A}: pulling image; the registry limits how often images are pulled",
        f"[ 1:00] {A}: pulling image, 50 %",
    ]


def test_one_replica_that_gave_up_does_not_end_the_wait_while_another_is_on_its_way() -> None:
    cloud = Cloud(
        [
            (0, together(starts(A), starts(B))),
            (20, says(A, "machine ready", cause="no GPU: nvidia-smi says: nothing", final=True)),
            (200, health(B, "healthy")),
        ],
        minimum=2,
        desired=2,
    )
    assert waits(cloud, minimum=2)[0] == Served(instance=B, seconds=200)


def test_a_port_that_never_opens_is_named_by_the_replica() -> None:
    cause = "port 80 never opened: after 1350 s nothing of the container listens on it"
    step = "waiting for port 80"
    cloud = Cloud(
        [
            (0, starts(A)),
            (30, together(says(A, step), health(A, "unhealthy", "Target.FailedHealthChecks", "Health checks failed"))),
            (1380, says(A, step, cause=cause)),
        ]
    )
    ended, said = waits(cloud)
    assert ended == (
        f"yellow-cat-1 does not serve: {cause}\n  replica: {A}, which came as far as: {step}\n  logs: {LOGS}\n  {ENDED}"
    )
    assert f"[ 0:30] {A}: not healthy yet (Health checks failed)" in said


def test_a_port_that_never_opens_is_named_by_the_load_balancer_where_the_replica_says_nothing() -> None:
    cloud = Cloud([(0, starts(A)), (30, health(A, "unhealthy", "Target.FailedHealthChecks", "Health checks failed"))])
    assert waits(cloud)[0] == (
        "yellow-cat-1 does not serve: nothing answers on port 80 within 30 minutes (Health checks failed): "
        "`port` in the "
        "configuration is the one that the container listens on, on every address (0.0.0.0)\n"
        "  remedy: look at what the container wrote; a model that takes longer needs a larger boot_timeout\n"
        f"  replica: {A}\n  logs: {LOGS}\n  {ENDED}"
    )


def test_a_health_check_that_fails_is_named_with_what_it_asks_for() -> None:
    said = "Health checks failed with these codes: [503]"
    cloud = Cloud(
        [
            (0, starts(A)),
            (30, says(A, "waiting for GET /health, which answers 503")),
            (30, health(A, "unhealthy", "Target.ResponseCodeMismatch", said)),
        ]
    )
    assert waits(cloud)[0] == (
        f"yellow-cat-1 does not serve: the health check fails within 30 minutes: GET /health, which should answer 200; "
        f"{said}\n"
        "  remedy: look at what the container wrote; a model that takes longer needs a larger boot_timeout\n"
        f"  replica: {A}, which came as far as: waiting for GET /health, which answers 503\n  logs: {LOGS}\n  {ENDED}"
    )


@pytest.mark.parametrize("error", [None, refusal("TargetGroupNotFound")])
def test_a_health_check_that_cannot_be_read_is_named_as_the_user_knows_it(error: Exception | None) -> None:
    class Gone(Cloud):
        def describe_target_groups(self, **_: object) -> dict[str, object]:
            if error is not None:
                raise error
            return {"TargetGroups": []}

    cloud = Gone([(0, together(starts(A), health(A, "unhealthy", "Target.ResponseCodeMismatch", "codes: [503]")))])
    assert str(waits(cloud)[0]).startswith(
        "yellow-cat-1 does not serve: the health check fails within 30 minutes: what probes ask for; codes: [503]\n"
    )


def test_a_replica_that_the_load_balancer_does_not_ask_is_told_in_its_words() -> None:
    why = "Target group is not configured to receive traffic from the load balancer"
    cloud = Cloud([(0, together(starts(A), says(A, "serving"), health(A, "unused", "Target.NotInUse", why)))])
    assert str(waits(cloud)[0]).startswith(
        "yellow-cat-1 does not serve: no replica became healthy within 30 minutes; the load balancer says unused: "
        f"{why}\n"
    )


def test_a_replica_that_says_nothing_in_all_its_time_is_a_boot_that_did_not_get_far() -> None:
    cloud = Cloud([(0, together(starts(A), health(A, "initial", "Elb.InitialHealthChecking")))])
    ended, _ = waits(cloud, boot_timeout=90)
    assert ended == (
        "yellow-cat-1 does not serve: no replica became healthy within 90 seconds; the replica said nothing of itself, "
        "so its boot script did not get as far as the network\n"
        "  remedy: raise boot_timeout if it was still on its way\n"
        f"  replica: {A}\n  logs: {LOGS}\n  {ENDED}"
    )
    assert cloud.time == 90


def test_an_update_serves_when_a_replica_of_the_new_version_is_healthy() -> None:
    cloud = Cloud(
        [
            (0, together(starts(OLD, version=1), health(OLD, "healthy"), refreshes("InProgress"))),
            (40, starts(A)),
            (200, together(health(A, "healthy"), refreshes("InProgress", 50))),
        ]
    )
    ended, said = waits(cloud)
    assert ended == Served(instance=A, seconds=200), "the replica of the version before is not what is waited for"
    assert said == [
        FIRST,
        "[ 0:00] replacing replicas, InProgress, 0 %",
        f"[ 0:40] {STARTED}",
        f"[ 3:20] {A}: healthy",
        "[ 3:20] replacing replicas, InProgress, 50 %",
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
        "[ 0:00] replacing replicas, InProgress, 0 %",
        f"[ 3:20] {OLD} is taken away: replaced",
        "[ 3:20] replacing replicas, Successful, 100 %",
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
        "yellow-cat-1 does not serve: replacing the replicas ended as Failed at 0 %: It could not become healthy in "
        "time.\n"
        "  1 replica of the version before still serves and is billed as before. The others are ended, and the group "
        "starts and ends nothing by itself until pulumi up or make wait waits for it again."
    )
    assert cloud.done == ["suspend Launch Terminate", f"terminate {A}", f"detach {A}"]
    assert (cloud.minimum, cloud.desired) == (1, 1)
    assert said[-2] == "[ 5:00] replacing replicas, Failed, 0 %: It could not become healthy in time."


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
    assert "1 replica of the version before still serves and is billed as before" in str(waits(cloud)[0])
    assert cloud.done == ["suspend Launch Terminate", f"terminate {A}", "cancel refresh"]


@pytest.mark.parametrize("operation", ["suspend_processes", "terminate_instances"])
def test_where_something_serves_a_stop_that_is_refused_does_not_tell_to_end_it_all(operation: str) -> None:
    cloud = Cloud(
        [
            (0, together(starts(OLD, version=1), health(OLD, "healthy"), refreshes("InProgress"))),
            (0, fails(operation, refusal("UnauthorizedOperation", "not this"))),
            (40, together(starts(A), says(A, "pulling image", cause="the image was not found", final=True))),
        ]
    )
    assert str(waits(cloud)[0]).endswith(
        "  NOT STOPPED (UnauthorizedOperation: not this): 1 replica of the version before still serves and is billed "
        f"as before, and so may be those that do not. End them with: aws ec2 terminate-instances --instance-ids {A} "
        "--region us-east-1"
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
    """The refresh was cancelled, and one begins by itself only with a change of the group."""
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
    assert cloud.done == ["resume Launch Terminate", "start refresh 100 200 900"]
    assert said == [
        FIRST,
        "[ 0:00] replacing the replicas of other versions by those of version 2",
        "[ 0:10] replacing replicas, Pending, 0 %",
        "[ 0:20] replacing replicas, InProgress, 0 %",
        f"[ 0:40] {STARTED}",
        f"[ 3:20] {A}: healthy",
        "[ 3:20] yellow-cat-1 serves",
    ]


def test_what_a_failed_update_has_not_yet_ended_keeps_the_same_one_from_nothing() -> None:
    """Tried again at once: the refresh is still being cancelled, and the replica is ended and not yet taken out."""
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
    assert cloud.done == ["resume Launch Terminate", "start refresh 100 200 900"]


def test_a_refresh_that_fails_at_once_is_told_though_nobody_saw_it_going() -> None:
    cloud = Cloud(
        [
            (0, together(starts(OLD, version=1), health(OLD, "healthy"))),
            (10, refreshes("Failed", 0, "No instance type fits.", id="refresh-2")),
        ]
    )
    assert str(waits(cloud)[0]).startswith(
        "yellow-cat-1 does not serve: replacing the replicas ended as Failed at 0 %: No instance type fits.\n"
    )
    assert cloud.time == 10


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
    """A failed update has ended it; the group kept it until it might end instances again."""
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


def test_a_group_that_a_failed_run_left_at_zero_is_put_where_the_plan_has_it() -> None:
    cloud = Cloud(
        [(20, starts(A)), (30, health(A, "healthy"))], minimum=0, desired=0, suspended=["Launch", "Terminate"]
    )
    ended, said = waits(cloud)
    assert ended == Served(instance=A, seconds=30)
    assert cloud.done == ["resume Launch Terminate", "update min=1 desired=1"]
    assert said[1] == "[ 0:00] the group has a minimum of 1 and 1 wanted now"


def test_a_group_that_has_scaled_beyond_its_minimum_keeps_its_size() -> None:
    cloud = Cloud([(0, together(starts(A), health(A, "healthy")))], minimum=0, desired=4, maximum=4)
    waits(cloud)
    assert cloud.done == ["update min=1 desired=4"]


@pytest.mark.parametrize("code", ["ScalingActivityInProgress", "ResourceContention"])
def test_a_group_that_is_busy_is_put_where_the_plan_has_it_a_little_later(code: str) -> None:
    cloud = Cloud(
        [
            (0, fails("update_auto_scaling_group", refusal(code))),
            (15, fails("update_auto_scaling_group", None)),
            (30, together(starts(A), health(A, "healthy"))),
        ],
        minimum=0,
        desired=0,
    )
    ended, said = waits(cloud)
    assert ended == Served(instance=A, seconds=30)
    assert said[1:3] == [
        f"[ 0:00] AWS does not answer at the moment ({code}); asking again",
        "[ 0:20] the group has a minimum of 1 and 1 wanted now",
    ]


def test_throttling_is_said_once_and_waited_out() -> None:
    throttled = refusal("Throttling", "Rate exceeded")
    cloud = Cloud(
        [
            (0, starts(A)),
            (10, fails("describe_target_health", throttled)),
            (200, fails("describe_target_health", None)),
            (205, health(A, "healthy")),
        ]
    )
    ended, said = waits(cloud)
    assert ended == Served(instance=A, seconds=250), "AWS is asked less often while it has too much to do"
    assert said == [
        FIRST,
        f"[ 0:00] {STARTED}",
        "[ 0:10] AWS does not answer at the moment (Throttling); asking again",
        f"[ 4:10] {A}: healthy",
        "[ 4:10] yellow-cat-1 serves",
    ]


def test_throttling_without_end_stops_nothing_since_nothing_is_known() -> None:
    cloud = Cloud([(0, fails("describe_auto_scaling_groups", refusal("ServiceUnavailable", "busy", 503)))])
    ended, _ = waits(cloud)
    assert ended == (
        "it is not known whether yellow-cat-1 serves: AWS does not answer (ServiceUnavailable: busy)\n"
        "  remedy: run pulumi up again later\n"
        f"  {GOING_ON}"
    )
    assert cloud.done == []


def test_a_short_silence_when_the_time_is_over_is_waited_out() -> None:
    """A verdict then would be none, and stop nothing."""
    busy = refusal("Throttling")
    cloud = Cloud(
        [(0, starts(A)), (1790, fails("describe_target_health", busy)), (1850, fails("describe_target_health", None))]
    )
    assert str(waits(cloud)[0]).endswith(ENDED)
    assert cloud.time == 1850


@pytest.mark.parametrize("operation", ["describe_auto_scaling_groups", "query"])
def test_credentials_that_expire_meanwhile_end_the_wait_and_stop_nothing(operation: str) -> None:
    expired = refusal("ExpiredToken", "The security token included in the request is expired")
    cloud = Cloud([(0, starts(A)), (30, fails(operation, expired))])
    assert waits(cloud) == (
        "it is not known whether yellow-cat-1 serves: the AWS credentials have expired (ExpiredToken): run "
        "aws sso login, or "
        "export new ones\n"
        "  remedy: then run pulumi up or make wait again\n"
        f"  {GOING_ON}",
        [FIRST, f"[ 0:00] {STARTED}"],
    )
    assert cloud.done == []


def test_what_only_tells_more_may_be_forbidden() -> None:
    denied = refusal("AccessDeniedException", "User is not authorized to perform: dynamodb:Query")
    cloud = Cloud([(0, fails("query", denied)), (0, starts(A)), (30, health(A, "healthy"))])
    ended, said = waits(cloud)
    assert ended == Served(instance=A, seconds=30)
    assert said[2] == (
        "[ 0:00] AWS does not answer dynamodb:Query (AccessDeniedException: User is not authorized to perform: "
        "dynamodb:Query); going on without"
    )


def test_what_must_be_asked_may_not_be_forbidden() -> None:
    denied = refusal("AccessDenied", "User is not authorized to perform: autoscaling:DescribeAutoScalingGroups")
    cloud = Cloud([(0, fails("describe_auto_scaling_groups", denied))])
    assert waits(cloud)[0] == (
        "it is not known whether yellow-cat-1 serves: the AWS credentials may not ask or do this "
        "(AccessDenied: User is "
        "not authorized to perform: autoscaling:DescribeAutoScalingGroups)\n"
        "  remedy: allow it, and run pulumi up again\n"
        f"  {GOING_ON}"
    )


def test_a_group_that_is_gone_is_named() -> None:
    cloud = Cloud(exists=False)
    assert waits(cloud)[0] == (
        f"yellow-cat-1 does not serve: its Auto Scaling group {GROUP} does not exist in us-east-1\n"
        "  remedy: run pulumi up --refresh"
    )
    assert cloud.time == 60


def test_a_group_that_has_just_been_made_may_not_be_there_yet() -> None:
    def there(cloud: Cloud) -> None:
        cloud.exists = True

    cloud = Cloud([(30, together(there, starts(A), health(A, "healthy")))], exists=False)
    assert waits(cloud)[0] == Served(instance=A, seconds=30)


def test_with_on_failure_keep_nothing_is_stopped() -> None:
    cloud = Cloud([(0, starts(A)), (10, says(A, "machine ready", cause="no GPU", final=True))])
    ended, _ = waits(cloud, on_failure="keep")
    assert ended == (
        f"yellow-cat-1 does not serve: no GPU\n  replica: {A}, which came as far as: machine ready\n  logs: {LOGS}\n"
        "  on_failure is keep: replicas go on, and are billed. To have another started in its place: "
        f"aws ec2 terminate-instances --instance-ids {A} --region us-east-1"
    )
    assert cloud.done == []


def test_instances_that_end_slowly_are_said_to_be_billed_until_then() -> None:
    cloud = Cloud([(0, starts(A)), (10, says(A, "machine ready", cause="no GPU", final=True))], slow_to_end=True)
    assert str(waits(cloud)[0]).endswith(f"  The group was set to zero; {A} is still ending, and billed until then.")


def test_stopping_that_is_refused_says_how_to_do_it_by_hand() -> None:
    cloud = Cloud(
        [
            (0, starts(A)),
            (10, says(A, "machine ready", cause="no GPU", final=True)),
            (10, fails("update_auto_scaling_group", refusal("AccessDenied", "not this"))),
        ]
    )
    assert str(waits(cloud)[0]).endswith(
        "  NOT STOPPED (AccessDenied: not this): its replicas are running and billed. Stop them with: aws autoscaling "
        f"update-auto-scaling-group --auto-scaling-group-name {GROUP} --min-size 0 --desired-capacity 0 "
        "--region us-east-1"
    )


def test_stopping_is_tried_again_where_aws_has_too_much_to_do() -> None:
    cloud = Cloud(
        [
            (0, starts(A)),
            (10, says(A, "machine ready", cause="no GPU", final=True)),
            (10, fails("update_auto_scaling_group", refusal("Throttling"))),
            (25, fails("update_auto_scaling_group", None)),
        ]
    )
    assert str(waits(cloud)[0]).endswith(ENDED)
    assert cloud.done == ["update min=0 desired=0", f"terminate {A}"]


def test_a_replica_that_is_replaced_does_not_get_its_time_anew() -> None:
    cloud = Cloud(
        [
            (0, starts(A)),
            (
                1000,
                leaves(A, "an instance was taken out of service in response to an ELB system health check failure."),
            ),
            (1100, starts(B)),
        ]
    )
    ended, said = waits(cloud)
    assert str(ended).startswith(
        "yellow-cat-1 does not serve: no replica became healthy within 30 minutes; 2 were started, and the last was "
        "taken away because: an instance was taken out of service in response to an ELB system health check failure."
    )
    assert f"[16:40] {A} is taken away: an instance was taken out of service in response to an ELB" in "".join(said)
    assert said[-1].startswith("[30:00]")


TAKEN = "an instance was taken out of service in response to an EC2 health check indicating it has been terminated."


def test_replicas_that_end_as_soon_as_they_start_are_named() -> None:
    loop = [
        event
        for at in range(10, 1700, 600)
        for event in ((float(at), starts(f"i-{at}")), (at + 30.0, leaves(f"i-{at}", TAKEN)))
    ]
    ended, _ = waits(Cloud(loop))
    assert str(ended).startswith(
        f"yellow-cat-1 does not serve: 3 replicas were started and taken away again: {TAKEN}\n"
        "  remedy: look at what the container and the boot script wrote\n  replica: i-1210\n  logs: "
    )


def test_the_cause_that_a_replica_named_before_it_was_taken_away_is_told() -> None:
    cloud = Cloud(
        [
            (0, starts(A)),
            (60, says(A, "pulling image", cause="the registry limits how often images are pulled")),
            (100, leaves(A, TAKEN)),
        ]
    )
    assert str(waits(cloud)[0]).startswith(
        "yellow-cat-1 does not serve: the registry limits how often images are pulled\n"
        f"  replica: {A}, which came as far as: pulling image\n"
    )


def test_the_cause_of_a_try_before_the_last_is_told() -> None:
    cause = "the container ended with status 2 before it served"
    cloud = Cloud(
        [
            (0, starts(A)),
            (1700, says(A, "container ended", cause=cause)),
            (1790, together(says(A, "waiting for port 80"), health(A, "unhealthy", "Target.Timeout", "timed out"))),
        ]
    )
    assert str(waits(cloud)[0]).startswith(
        f"yellow-cat-1 does not serve: {cause}; tried again since, it did not serve within 30 minutes\n"
        "  remedy: look at what the container wrote; a model that takes longer needs a larger boot_timeout\n"
        f"  replica: {A}, which came as far as: container ended\n"
    )


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (
            {"version": 3},
            "the group starts instances of version 3 of its launch template, and version 2 is waited for: something "
            "else has changed it\n  remedy: run pulumi up --refresh\n",
        ),
        (
            {"suspended": ["Launch"]},
            "no instance was started within 30 minutes: the group's processes Launch or Terminate are suspended\n"
            f"  remedy: aws autoscaling resume-processes --auto-scaling-group-name {GROUP} --region us-east-1\n",
        ),
        (
            {"refresh": {"InstanceRefreshId": "old", "Status": "Failed", "StatusReason": "It took too long."}},
            "replacing the replicas ended as Failed at 0 %: It took too long.\n",
        ),
        (
            {},
            "no instance was started within 30 minutes, and Auto Scaling says nothing of why\n"
            "  remedy: look at the group's activity in the EC2 console\n",
        ),
    ],
)
def test_that_nothing_is_started_has_a_reason(change: dict[str, object], cause: str) -> None:
    def changed(cloud: Cloud) -> None:
        for name, value in change.items():
            setattr(cloud, name, value)

    assert str(waits(Cloud([(10, changed)]))[0]) == f"yellow-cat-1 does not serve: {cause}  {ENDED}"


def test_an_interruption_says_what_goes_on_and_passes_through() -> None:
    class Interrupted(Cloud):
        def sleep(self, seconds: float) -> None:
            raise KeyboardInterrupt

    cloud = Interrupted([(0, starts(A))])
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        wait_until_serving(AWAITED, cloud.clients(), clock=cloud, say=said.append)
    assert said[-1] == f"[ 0:00] interrupted (KeyboardInterrupt). {GOING_ON}"
    assert cloud.done == []


def test_an_interruption_while_it_is_stopped_says_that_it_may_be() -> None:
    class Interrupted(Cloud):
        def describe_instances(self, **_: object) -> dict[str, object]:
            raise KeyboardInterrupt

    cloud = Interrupted([(0, together(starts(A), says(A, "machine ready", cause="no GPU", final=True)))])
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        wait_until_serving(AWAITED, cloud.clients(), clock=cloud, say=said.append)
    assert said[-1] == "[ 0:00] interrupted (KeyboardInterrupt). It may be stopped or not."
