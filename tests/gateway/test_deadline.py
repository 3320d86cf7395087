"""When an answer has to end, where the web adapter tells the function's deadline."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import pytest

from gateway_lambda.errors import Header
from gateway_lambda.server.deadline import seconds_to_answer


def context(**said: object) -> list[Header]:
    return [(b"host", b"h"), (b"x-amzn-lambda-context", json.dumps(said).encode())]


@pytest.mark.parametrize(("left", "seconds"), [(900, 885), (150, 135), (100, 90), (3, 2.7)])
def test_some_of_the_time_is_left_for_the_end(monkeypatch: pytest.MonkeyPatch, left: float, seconds: float) -> None:
    monkeypatch.setattr("gateway_lambda.server.deadline.time", SimpleNamespace(time=lambda: 1_800_000_000.0))
    found = seconds_to_answer(context(deadline=(1_800_000_000 + left) * 1000, request_id="1"))
    assert found == pytest.approx(seconds)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        context(),
        context(deadline=0),
        context(deadline=int((time.time() - 1) * 1000)),
        context(deadline="soon"),
        [(b"x-amzn-lambda-context", b"{")],
        [(b"x-amzn-lambda-context", b"null")],
        [(b"x-amzn-lambda-context", b"\xff")],
    ],
)
def test_where_nobody_says_when_there_is_no_end(headers: list[Header]) -> None:
    assert seconds_to_answer(headers) is None
