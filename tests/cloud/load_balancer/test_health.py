"""What health checks make of a target."""

from __future__ import annotations

import pytest

from cloud.load_balancer.health import CHECKING, FAILED, HEALTHY, REGISTERING, TIMED_OUT, Verdict, matches, mismatch
from tests.cloud.load_balancer.played import CHECK


@pytest.mark.parametrize(
    ("matcher", "status", "holds"),
    [
        ("200", 200, True),
        ("200", 204, False),
        ("200,204", 204, True),
        ("200-499", 200, True),
        ("200-499", 499, True),
        ("200-499", 500, False),
        ("200-201,204", 203, False),
    ],
)
def test_a_matcher_is_a_list_of_codes_and_ranges(matcher: str, status: int, holds: bool) -> None:
    assert matches(matcher, status) is holds


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
