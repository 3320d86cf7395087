"""AWS does not answer, or refuses: what is waited out, and what ends the wait without stopping anything."""

from __future__ import annotations

import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.parsers import ResponseParserError

from infra.readiness import Served
from tests.readiness.cloud import Cloud, fails, health, refusal, starts
from tests.readiness.outcomes import ENDED, FIRST, GOING_ON, LOGS, STARTED, A, waits


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
    assert ended == Served(instance=A, seconds=250), "AWS is asked less often while it is busy"
    assert said == [
        FIRST,
        f"[ 0:00] {STARTED}",
        "[ 0:10] AWS does not answer at the moment (Throttling); trying again",
        f"[ 4:10] {A}: healthy",
        "[ 4:10] yellow-cat-1 serves",
    ]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_what_plays_aws_on_this_machine_does_not_come_back(host: str) -> None:
    url = f"http://{host}:4566/"
    ended = EndpointConnectionError(endpoint_url=url)
    cloud = Cloud([(0, starts(A)), (10, fails("describe_auto_scaling_groups", ended))])
    assert waits(cloud) == (
        "it is not known whether yellow-cat-1 serves: AWS does not answer (EndpointConnectionError: Could not connect "
        f'to the endpoint URL: "{url}")\n'
        f"  billing: {GOING_ON}\n"
        "  remedy: run pulumi up again later",
        [FIRST, f"[ 0:00] {STARTED}"],
    )


def test_an_address_of_aws_that_cannot_be_reached_is_waited_for() -> None:
    away = EndpointConnectionError(endpoint_url="https://autoscaling.us-east-1.amazonaws.com/")
    cloud = Cloud(
        [
            (0, starts(A)),
            (10, fails("describe_auto_scaling_groups", away)),
            (200, fails("describe_auto_scaling_groups", None)),
            (205, health(A, "healthy")),
        ]
    )
    assert waits(cloud)[0] == Served(instance=A, seconds=250)


def test_a_page_of_a_proxy_in_place_of_an_answer_is_waited_out() -> None:
    page = ResponseParserError("Unable to parse response, invalid XML received. Further retries may succeed: <html>")
    cloud = Cloud(
        [
            (0, starts(A)),
            (10, fails("describe_auto_scaling_groups", page)),
            (200, fails("describe_auto_scaling_groups", None)),
            (205, health(A, "healthy")),
        ]
    )
    ended, said = waits(cloud)
    assert ended == Served(instance=A, seconds=250)
    assert said[2] == "[ 0:10] AWS does not answer at the moment (ResponseParserError); trying again"


def test_throttling_without_end_stops_nothing_since_nothing_is_known() -> None:
    cloud = Cloud([(0, fails("describe_auto_scaling_groups", refusal("ServiceUnavailable", "busy", 503)))])
    ended, _ = waits(cloud)
    assert ended == (
        "it is not known whether yellow-cat-1 serves: AWS does not answer (ServiceUnavailable: busy)\n"
        f"  billing: {GOING_ON}\n"
        "  remedy: run pulumi up again later"
    )
    assert cloud.done == []


def test_a_short_silence_when_the_time_is_over_is_waited_out() -> None:
    """A report in that moment would have no cause, and would stop nothing."""
    busy = refusal("Throttling")
    cloud = Cloud(
        [(0, starts(A)), (1790, fails("describe_target_health", busy)), (1850, fails("describe_target_health", None))]
    )
    assert str(waits(cloud)[0]).endswith(
        f"  billing: {ENDED}\n  remedy: raise boot_timeout if the replica was still starting\n  logs: {LOGS}"
    )
    assert cloud.time == 1850


@pytest.mark.parametrize("operation", ["describe_auto_scaling_groups", "query"])
def test_credentials_that_expire_meanwhile_end_the_wait_and_stop_nothing(operation: str) -> None:
    expired = refusal("ExpiredToken", "The security token included in the request is expired")
    cloud = Cloud([(0, starts(A)), (30, fails(operation, expired))])
    assert waits(cloud) == (
        "it is not known whether yellow-cat-1 serves: the AWS credentials have expired (ExpiredToken): run "
        "aws sso login, or "
        "export new ones\n"
        f"  billing: {GOING_ON}\n"
        "  remedy: solve this, then run pulumi up or make wait again",
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
        "dynamodb:Query); the wait continues without the answer"
    )


def test_what_must_be_asked_may_not_be_forbidden() -> None:
    denied = refusal("AccessDenied", "User is not authorized to perform: autoscaling:DescribeAutoScalingGroups")
    cloud = Cloud([(0, fails("describe_auto_scaling_groups", denied))])
    assert waits(cloud)[0] == (
        "it is not known whether yellow-cat-1 serves: the AWS credentials do not allow this call (AccessDenied: User "
        "is not authorized to perform: autoscaling:DescribeAutoScalingGroups)\n"
        f"  billing: {GOING_ON}\n"
        "  remedy: allow it, then run pulumi up again"
    )
