"""What health checks make of a target."""

from __future__ import annotations

from cloud.load_balancer.health import CHECKING, FAILED, HEALTHY, REGISTERING, TIMED_OUT, Verdict, mismatch
from tests.cloud.load_balancer.played import CHECK


def test_one_good_check_makes_a_new_target_healthy_and_two_an_unhealthy_one() -> None:
    verdict = Verdict()
    results = [FAILED, HEALTHY, mismatch(503), HEALTHY, FAILED, TIMED_OUT, mismatch(500), HEALTHY, HEALTHY, FAILED]
    seen = [verdict.health]
    for result in results:
        verdict.checked(result, CHECK)
        seen.append(verdict.health)
    assert seen == [
        REGISTERING,
        CHECKING,
        HEALTHY,
        HEALTHY,
        HEALTHY,
        HEALTHY,
        TIMED_OUT,
        mismatch(500),
        mismatch(500),
        HEALTHY,
        HEALTHY,
    ]


def test_a_new_target_that_fails_as_often_as_the_threshold_is_unhealthy() -> None:
    verdict = Verdict()
    verdict.checked(FAILED, CHECK)
    first = verdict.health
    verdict.checked(FAILED, CHECK)
    assert (first, verdict.health) == (CHECKING, FAILED)
