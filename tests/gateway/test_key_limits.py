"""How many requests a minute a key may make."""

from __future__ import annotations

from typing import Any

import httpx
import openai
import pytest

from gateway_lambda.errors import ServiceError
from gateway_lambda.routing.key_limits import KeyLimits
from tests.gateway.keys import ALL, record, secret
from tests.gateway.serving import HI, Bench

THREE = {**record("three"), "requests_per_minute": 3}


class Asked:
    """What the limits see of a request."""

    limits: Any = ()


def test_a_minute_s_requests_may_come_at_once_and_each_is_given_back_after_its_part_of_the_minute() -> None:
    time = [1000.0]
    limits = KeyLimits(lambda: time[0])

    def left() -> tuple[str, ...]:
        asked = Asked()
        said = "ok"
        try:
            limits.count(asked, "three", 3)  # type: ignore[arg-type]
        except ServiceError as error:
            said = dict(error.headers)[b"retry-after"].decode()
        return (said, *(value.decode() for _, value in asked.limits))

    assert [left() for _ in range(4)] == [
        ("ok", "3", "2", "20s"),
        ("ok", "3", "1", "40s"),
        ("ok", "3", "0", "60s"),
        ("20", "3", "0", "60s"),
    ]
    time[0] += 20
    assert [left(), left()] == [("ok", "3", "0", "60s"), ("20", "3", "0", "60s")]
    time[0] += 3600
    assert [left() for _ in range(4)][-2:] == [("ok", "3", "0", "60s"), ("20", "3", "0", "60s")]


def test_a_key_above_its_limit_is_refused_and_others_are_not(bench: Bench) -> None:
    bench.register(bench.service(auth=True), keys=(ALL, THREE))
    url = f"{bench.url}/v1/chat/completions"

    def ask(key: str) -> httpx.Response:
        body = {"model": "m", "messages": HI}
        return bench.http.post(url, json=body, headers={"authorization": f"Bearer {secret(key)}"})

    served = [ask("three") for _ in range(3)]
    assert [(one.status_code, one.headers["x-ratelimit-remaining-requests"]) for one in served] == [
        (200, "2"),
        (200, "1"),
        (200, "0"),
    ]
    assert served[0].headers["x-ratelimit-limit-requests"] == "3"
    refused = ask("three")
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 20
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    error = refused.json()["error"]
    assert error == {
        "message": f"this API key may make 3 requests a minute; wait {refused.headers['retry-after']} s",
        "type": "rate_limit_error",
        "param": None,
        "code": "rate_limit_exceeded",
    }
    assert len(bench.tgi.generated) == 3
    other = ask("all")
    assert (other.status_code, [name for name in other.headers if "ratelimit" in name]) == (200, [])
    with bench.client(api_key=secret("three")) as client, pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model="m", messages=HI)  # type: ignore[arg-type]


def test_a_run_s_own_service_counts_too_and_an_open_one_does_not(bench: Bench) -> None:
    bench.register(bench.service(auth=True), bench.service("open", model=None), keys=({**THREE, "runs": ["run"]},))
    headers = {"authorization": f"Bearer {secret('three')}"}
    for path in ("/services/open/health", "/v1/models", "/v1/models/m", "/services/none/x"):
        answers = [bench.http.get(bench.url + path, headers=headers) for _ in range(4)]
        assert not any("x-ratelimit-limit-requests" in answer.headers for answer in answers)
    answers = [bench.http.get(f"{bench.url}/services/run/health", headers=headers) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining-requests"] for answer in answers] == ["2", "1", "0", "0"]


def test_a_stream_says_what_is_left_too(bench: Bench) -> None:
    bench.register(bench.service(auth=True), keys=(THREE,))
    body = {"model": "m", "messages": HI, "stream": True}
    headers = {"authorization": f"Bearer {secret('three')}"}
    answer = bench.http.post(f"{bench.url}/v1/chat/completions", json=body, headers=headers)
    assert (answer.status_code, answer.headers["x-ratelimit-remaining-requests"]) == (200, "2")
