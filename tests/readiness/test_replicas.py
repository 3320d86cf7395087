"""Replicas that do not serve: which part names the cause."""

from __future__ import annotations

import pytest

from infra.readiness import Served
from tests.readiness.cloud import Cloud, health, leaves, refusal, says, starts, together
from tests.readiness.outcomes import ENDED, FIRST, LOGS, STARTED, TAKEN, A, B, waits

CAUSES = {
    "image": (
        "pulling image",
        "the image ghcr.io/nobody/nothing was not found: manifest unknown",
    ),
    "gated": (
        "waiting for port 80",
        "the model is gated: accept its conditions on the Hub, and give the service a token of the account that did",
    ),
    "memory": ("waiting for port 80", "out of GPU memory: request more under resources.gpu"),
    "gpu": ("machine ready", "the machine has no working GPU: nvidia-smi says: no devices were found"),
}


@pytest.mark.parametrize(("step", "cause"), CAUSES.values(), ids=CAUSES)
def test_a_cause_that_cannot_heal_ends_the_wait_at_once(step: str, cause: str) -> None:
    cloud = Cloud([(20, starts(A)), (40, says(A, step)), (60, says(A, step, cause=cause, final=True))])
    assert waits(cloud) == (
        f"yellow-cat-1 does not serve: {cause}\n  replica: {A}, last step: {step}\n  billing: {ENDED}\n  logs: {LOGS}",
        [
            FIRST,
            f"[ 0:20] {STARTED}",
            f"[ 0:40] {A}: {step}",
            f"[ 1:00] {A}: stopped: {cause}",
            f"[ 1:00] yellow-cat-1 does not serve: {cause}; stopping the instances that do not serve",
        ],
    )
    assert (cloud.minimum, cloud.desired, cloud.done) == (0, 0, ["update min=0 desired=0", f"terminate {A}"])


def test_a_cause_that_may_heal_is_shown_and_waited_out() -> None:
    cloud = Cloud(
        [
            (0, starts(A)),
            (20, says(A, "pulling image", cause="the image registry limits how often images are pulled")),
            (60, says(A, "pulling image", 50)),
            (90, health(A, "healthy")),
        ]
    )
    ended, said = waits(cloud)
    assert ended == Served(instance=A, seconds=90)
    assert said[2:4] == [
        f"[ 0:20] {A}: pulling image: the image registry limits how often images are pulled",
        f"[ 1:00] {A}: pulling image, 50 %",
    ]


def test_one_replica_that_gave_up_does_not_end_the_wait_while_another_is_on_its_way() -> None:
    cloud = Cloud(
        [
            (0, together(starts(A), starts(B))),
            (
                20,
                says(A, "machine ready", cause="the machine has no working GPU: nvidia-smi says: nothing", final=True),
            ),
            (200, health(B, "healthy")),
        ],
        minimum=2,
        desired=2,
    )
    assert waits(cloud, minimum=2)[0] == Served(instance=B, seconds=200)


def test_a_port_that_never_opens_is_named_by_the_replica() -> None:
    cause = "port 80 never opened: nothing in the container listens on it after 1350 s"
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
        f"yellow-cat-1 does not serve: {cause}\n  replica: {A}, last step: {step}\n  billing: {ENDED}\n  logs: {LOGS}"
    )
    assert f"[ 0:30] {A}: not healthy yet (Health checks failed)" in said


def test_a_port_that_never_opens_is_named_by_the_load_balancer_where_the_replica_says_nothing() -> None:
    cloud = Cloud([(0, starts(A)), (30, health(A, "unhealthy", "Target.FailedHealthChecks", "Health checks failed"))])
    assert waits(cloud)[0] == (
        "yellow-cat-1 does not serve: nothing answered on port 80 within 30 minutes (Health checks failed): the "
        "container must listen on the `port` of the configuration, on every address (0.0.0.0)\n"
        f"  replica: {A}\n  billing: {ENDED}\n"
        "  remedy: read the container's log; a model that needs more time to load needs a larger boot_timeout\n"
        f"  logs: {LOGS}"
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
        "yellow-cat-1 does not serve: the health check did not succeed within 30 minutes: GET /health, which should "
        f"answer 200; {said}\n"
        f"  replica: {A}, last step: waiting for GET /health, which answers 503\n  billing: {ENDED}\n"
        "  remedy: read the container's log; a model that needs more time to load needs a larger boot_timeout\n"
        f"  logs: {LOGS}"
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
        "yellow-cat-1 does not serve: the health check did not succeed within 30 minutes: the health check of the "
        "configuration; codes: [503]\n"
    )


def test_a_replica_that_the_load_balancer_does_not_ask_is_told_in_its_words() -> None:
    why = "Target group is not configured to receive traffic from the load balancer"
    cloud = Cloud([(0, together(starts(A), says(A, "serving"), health(A, "unused", "Target.NotInUse", why)))])
    assert str(waits(cloud)[0]).startswith(
        "yellow-cat-1 does not serve: no replica became healthy within 30 minutes; the load balancer reports unused: "
        f"{why}\n"
    )


def test_a_replica_that_says_nothing_in_all_its_time_is_a_boot_that_did_not_get_far() -> None:
    cloud = Cloud([(0, together(starts(A), health(A, "initial", "Elb.InitialHealthChecking")))])
    ended, _ = waits(cloud, boot_timeout=90)
    assert ended == (
        "yellow-cat-1 does not serve: no replica became healthy within 90 seconds; the replica reported no step, so "
        "its boot script did not reach the network\n"
        f"  replica: {A}\n  billing: {ENDED}\n"
        "  remedy: raise boot_timeout if the replica was still starting\n"
        f"  logs: {LOGS}"
    )
    assert cloud.time == 90


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
        "yellow-cat-1 does not serve: no replica became healthy within 30 minutes; 2 replicas started; the last "
        "removal: an instance was taken out of service in response to an ELB system health check failure."
    )
    assert f"[16:40] {A} is removed: an instance was taken out of service in response to an ELB" in "".join(said)
    assert said[-1].startswith("[30:00]")


def test_replicas_that_end_as_soon_as_they_start_are_named() -> None:
    loop = [
        event
        for at in range(10, 1700, 600)
        for event in ((float(at), starts(f"i-{at}")), (at + 30.0, leaves(f"i-{at}", TAKEN)))
    ]
    ended, _ = waits(Cloud(loop))
    assert str(ended).startswith(
        f"yellow-cat-1 does not serve: 3 replicas were started and then removed: {TAKEN}\n"
        f"  replica: i-1210\n  billing: {ENDED}\n"
        "  remedy: read the logs of the container and of the boot script\n  logs: "
    )


def test_the_cause_that_a_replica_named_before_it_was_taken_away_is_told() -> None:
    cloud = Cloud(
        [
            (0, starts(A)),
            (60, says(A, "pulling image", cause="the image registry limits how often images are pulled")),
            (100, leaves(A, TAKEN)),
        ]
    )
    assert str(waits(cloud)[0]).startswith(
        "yellow-cat-1 does not serve: the image registry limits how often images are pulled\n"
        f"  replica: {A}, last step: pulling image\n"
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
        f"yellow-cat-1 does not serve: {cause}; the replica tried again and did not serve within 30 minutes\n"
        f"  replica: {A}, last step: container ended\n  billing: {ENDED}\n"
        "  remedy: read the container's log; a model that needs more time to load needs a larger boot_timeout\n"
    )
