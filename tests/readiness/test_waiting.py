"""How a wait proceeds and ends: what it prints, what it reports, and what it changes on AWS."""

from __future__ import annotations

import pytest

from infra.readiness import Served, wait_until_serving
from tests.readiness.cloud import AWAITED, GROUP, Cloud, fails, health, refusal, says, starts, together
from tests.readiness.outcomes import ENDED, FIRST, GOING_ON, LOGS, STARTED, A, waits


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


def test_a_group_that_a_failed_run_left_at_zero_is_put_where_the_plan_has_it() -> None:
    cloud = Cloud(
        [(20, starts(A)), (30, health(A, "healthy"))], minimum=0, desired=0, suspended=["Launch", "Terminate"]
    )
    ended, said = waits(cloud)
    assert ended == Served(instance=A, seconds=30)
    assert cloud.done == ["resume Launch Terminate", "update min=1 desired=1"]
    assert said[1] == "[ 0:00] the group's minimum is now 1 and its desired capacity 1"


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
        f"[ 0:00] AWS does not answer at the moment ({code}); trying again",
        "[ 0:20] the group's minimum is now 1 and its desired capacity 1",
    ]


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
        f"yellow-cat-1 does not serve: no GPU\n  replica: {A}, last step: machine ready\n"
        "  billing: on_failure is keep, so the replicas keep running and are billed. A replica that does not serve "
        "within boot_timeout replaces itself. Replace this one now with: "
        f"aws ec2 terminate-instances --instance-ids {A} --region us-east-1\n"
        f"  logs: {LOGS}"
    )
    assert cloud.done == []


def test_instances_that_end_slowly_are_said_to_be_billed_until_then() -> None:
    cloud = Cloud([(0, starts(A)), (10, says(A, "machine ready", cause="no GPU", final=True))], slow_to_end=True)
    assert str(waits(cloud)[0]).endswith(
        f"  billing: The group is set to zero. Instances that are still ending, and billed until then: {A}.\n"
        f"  logs: {LOGS}"
    )


def test_stopping_that_is_refused_says_how_to_do_it_by_hand() -> None:
    cloud = Cloud(
        [
            (0, starts(A)),
            (10, says(A, "machine ready", cause="no GPU", final=True)),
            (10, fails("update_auto_scaling_group", refusal("AccessDenied", "not this"))),
        ]
    )
    assert str(waits(cloud)[0]).endswith(
        "  billing: NOT STOPPED (AccessDenied: not this): the replicas keep running and are billed. Stop them with: "
        f"aws autoscaling update-auto-scaling-group --auto-scaling-group-name {GROUP} --min-size 0 "
        f"--desired-capacity 0 --region us-east-1\n  logs: {LOGS}"
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
    assert str(waits(cloud)[0]).endswith(f"  billing: {ENDED}\n  logs: {LOGS}")
    assert cloud.done == ["update min=0 desired=0", f"terminate {A}"]


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
    assert said[-1] == "[ 0:00] interrupted (KeyboardInterrupt). Its instances may still be running."
