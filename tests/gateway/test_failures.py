"""What goes wrong upstream or in a request, as its client sees it: P72 to P77."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import openai
import pytest

from tests.gateway.keys import ALL, ONE_RUN, secret
from tests.gateway.scripted_tgi import (
    Script,
    answer,
    broken_stream,
    error_event,
    failure,
    hang_up,
    never,
    never_for,
    reply,
    stream,
)
from tests.gateway.serving import HI, Bench

FAILURES: list[tuple[str, Script, int, str, str]] = [
    (
        "P72",
        failure(422, "Input validation error: `top_p` must be > 0.0 and < 1.0", "validation"),
        400,
        "upstream_validation_error",
        "`top_p` must be > 0.0 and < 1.0",
    ),
    (
        "P72-too-long",
        failure(422, "Input validation error: `inputs` must have less than 4095 tokens. Given: 5000", "validation"),
        400,
        "context_length_exceeded",
        "maximum context length is 4095 tokens",
    ),
    (
        "P72-text",
        reply(422, "Failed to deserialize the JSON body", "text/plain"),
        400,
        "upstream_validation_error",
        "Failed to deserialize",
    ),
    ("P73", failure(429, "Model is overloaded", "overloaded"), 429, "model_overloaded", "Model is overloaded"),
    (
        "P74-generation",
        failure(424, "Request failed during generation: boom", "generation"),
        500,
        "generation_failed",
        "boom",
    ),
    (
        "P74-incomplete",
        failure(500, "Incomplete generation", "incomplete_generation"),
        500,
        "upstream_incomplete",
        "Incomplete generation",
    ),
    ("an unknown kind", failure(500, "Odd", "oddity"), 500, "upstream_error", "Odd"),
    ("HTML", reply(500, "<html>oops</html>", "text/html"), 500, "upstream_error", "500"),
    ("too large", reply(413, "length limit exceeded", "text/plain"), 413, "request_too_large", "larger"),
    ("no key", reply(401, ""), 502, "upstream_misconfigured", "401"),
    ("no route", reply(404, ""), 502, "upstream_misconfigured", "404"),
    ("a balancer without targets", reply(503, "<html>503</html>", "text/html"), 503, "service_unavailable", ""),
    ("a balancer whose target hung up", reply(502, "<html>502</html>", "text/html"), 502, "upstream_unreachable", ""),
    ("a balancer that gave up", reply(504, "<html>504</html>", "text/html"), 504, "upstream_timeout", ""),
    ("closed before an answer", hang_up, 502, "upstream_unreachable", ""),
]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("script", "status", "code", "text"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES]
)
def test_an_upstreams_failure_has_a_status_a_code_and_a_message(
    bench: Bench, script: Script, status: int, code: str, text: str, streamed: bool
) -> None:
    bench.tgi.usual = script
    with bench.client() as client, pytest.raises(openai.APIStatusError) as failed:
        client.chat.completions.create(model="m", messages=HI, stream=streamed)  # type: ignore[call-overload]
    assert (failed.value.status_code, failed.value.code) == (status, code)
    assert text in failed.value.message
    assert "Input validation error" not in failed.value.message
    assert failed.value.response.headers["x-request-id"]
    waits = {429: "1", 503: "5"}
    assert failed.value.response.headers.get("retry-after") == waits.get(status)
    assert failed.value.response.headers.get("x-should-retry") == ("false" if status == 504 else None)


EVENTS = [
    ("overloaded", 429, "model_overloaded"),
    ("validation", 400, "upstream_validation_error"),
    ("generation", 500, "generation_failed"),
    ("incomplete_generation_stream", 500, "upstream_incomplete"),
    ("stream_serialization_error", 500, "upstream_error"),
]


@pytest.mark.parametrize(("kind", "status", "code"), EVENTS)
def test_an_error_as_a_streams_first_event_is_the_same(bench: Bench, kind: str, status: int, code: str) -> None:
    bench.tgi.usual = stream(error_event("Something", kind))
    response = bench.post(stream=True)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (reply(200, "<html>hello</html>", "text/html"), "upstream_error"),
        (reply(200, '{"generated_text": 5}'), "upstream_error"),
        (reply(200, b'{"generated_text": "\xff"}'), "upstream_error"),
        (broken_stream(b'{"generated_text":"He'), "upstream_incomplete"),
    ],
)
def test_an_answer_that_is_none_is_an_error_of_the_upstream(bench: Bench, script: Script, code: str) -> None:
    bench.tgi.usual = script
    response = bench.post()
    assert (response.status_code, response.json()["error"]["code"]) == (500, code)


@pytest.mark.parametrize("streamed", [False, True])
def test_p73_the_client_tries_again_after_429_and_succeeds(bench: Bench, streamed: bool) -> None:
    overloaded = failure(429, "Model is overloaded", "overloaded")
    bench.tgi.replies.extend([overloaded, overloaded, answer("ok", "</s>*")])
    with bench.client(max_retries=2) as client:
        found = client.chat.completions.create(model="m", messages=HI, stream=streamed)  # type: ignore[call-overload]
        text = (
            "".join(chunk.choices[0].delta.content or "" for chunk in found)
            if streamed
            else found.choices[0].message.content
        )
    assert text == "ok"
    assert len(bench.tgi.generated) == 3


@pytest.mark.parametrize("streamed", [False, True])
def test_p74_a_refused_connection_is_502_and_no_replica_503(bench: Bench, streamed: bool) -> None:
    bench.register(bench.service(url=bench.nobody()))
    response = bench.post(stream=streamed)
    assert (response.status_code, response.json()["error"]["code"]) == (502, "upstream_unreachable")
    bench.register(bench.service(url=[]))
    response = bench.post(stream=streamed)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "service_unavailable")
    assert response.headers["retry-after"] == "5"
    bench.register(bench.service(url=None))
    assert bench.post(stream=streamed).status_code == 503


@pytest.mark.usefixtures("clock")
def test_a_whole_answer_that_takes_too_long_is_504_and_says_what_to_do(bench: Bench) -> None:
    bench.serve(plain_timeout=0.2)
    bench.tgi.replies.append(never_for(0.3))
    response = bench.post()
    assert (response.status_code, response.json()["error"]["code"]) == (504, "upstream_timeout")
    assert "stream=true" in response.json()["error"]["message"]
    assert response.headers["x-should-retry"] == "false"
    assert bench.tgi.generated[0].closed.wait(30)


CLOSED: list[tuple[str, str, dict[str, Any] | bytes, str | None, int, str, str | None]] = [
    ("unknown model", "/v1/chat/completions", {"model": "x", "messages": HI}, "all", 404, "model_not_found", "model"),
    ("no model", "/v1/chat/completions", {"messages": HI}, "all", 400, "invalid_type", "model"),
    ("bad key", "/v1/chat/completions", {"model": "m", "messages": HI}, "bad", 401, "invalid_api_key", None),
    ("no key", "/v1/chat/completions", {"model": "m", "messages": HI}, None, 401, "invalid_api_key", None),
    ("no key and no such model", "/v1/chat/completions", {"model": "x"}, None, 401, "invalid_api_key", None),
    (
        "another run's key",
        "/v1/chat/completions",
        {"model": "m", "messages": HI},
        "one",
        404,
        "model_not_found",
        "model",
    ),
    ("bad JSON", "/v1/chat/completions", b"{bad", "all", 400, "invalid_json", None),
    ("no object", "/v1/chat/completions", b"[]", "all", 400, "invalid_type", "body"),
    ("nothing", "/v1/chat/completions", b"", "all", 400, "invalid_json", None),
    ("invalid UTF-8", "/v1/chat/completions", b'{"model":"\xff"}', "all", 400, "invalid_json", None),
    ("NaN", "/v1/chat/completions", b'{"model":"m","temperature":NaN}', "all", 400, "invalid_json", None),
    ("a million brackets", "/v1/chat/completions", b"[" * 1_000_000, "all", 400, "invalid_value", None),
    ("unknown path", "/v1/nothing", {}, "all", 404, "not_found", None),
    ("root", "/", {}, "all", 404, "not_found", None),
]


@pytest.mark.parametrize(
    ("path", "body", "key", "status", "code", "param"), [row[1:] for row in CLOSED], ids=[row[0] for row in CLOSED]
)
def test_p75_a_request_that_cannot_be_served_says_why(
    bench: Bench, path: str, body: dict[str, Any] | bytes, key: str | None, status: int, code: str, param: str | None
) -> None:
    bench.register(bench.service(auth=True), keys=(ALL, ONE_RUN))
    headers = {"authorization": f"Bearer {secret(key)}"} if key else {}
    sent: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
    response = httpx.post(bench.url + path, headers=headers, **sent)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"], set(error)) == (
        status,
        code,
        param,
        {"message", "type", "param", "code"},
    )
    assert error["message"]
    assert response.headers["x-request-id"]
    assert response.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)
    assert bench.tgi.asked == []


def test_p75_a_good_key_is_let_in_and_an_open_model_asks_for_none(bench: Bench) -> None:
    bench.register(bench.service(auth=True), bench.service("other", model="open"), keys=(ALL, ONE_RUN))
    with bench.client(api_key=secret("all")) as client:
        assert client.chat.completions.create(model="m", messages=HI).choices[0].message.content == "Hello world"  # type: ignore[arg-type]
    with bench.client(api_key="none") as client:
        assert client.chat.completions.create(model="open", messages=HI).choices[0].message.content == "Hello world"  # type: ignore[arg-type]
        with pytest.raises(openai.AuthenticationError):
            client.chat.completions.create(model="m", messages=HI)  # type: ignore[arg-type]


def test_a_wrong_method_is_405(bench: Bench) -> None:
    response = httpx.get(f"{bench.url}/v1/chat/completions")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert response.json()["error"]["code"] == "method_not_allowed"


def test_p76_the_upstream_is_closed_when_the_client_leaves(bench: Bench) -> None:
    bench.tgi.replies.append(never)
    bench.leave()
    assert bench.tgi.generated[0].closed.wait(30)


def test_p28_one_choice_that_fails_fails_the_request_and_ends_the_others(bench: Bench) -> None:
    bench.tgi.replies.extend([never, failure(429, "Model is overloaded", "overloaded")])
    assert bench.post(n=2).status_code == 429
    assert bench.tgi.generated[0].closed.wait(30)


def test_p77_models_are_listed_and_shown(bench: Bench) -> None:
    bench.register(
        bench.service(),
        bench.service("named", model="org/name", created=6),
        bench.service("plain", model=None),
        bench.service("closed", model="secret", auth=True),
        bench.service("newer", model="m", created=9),
        bench.service("oldest", model="org/name", created=5),
        keys=(ALL, ONE_RUN),
    )

    def shown(name: str, created: int) -> dict[str, Any]:
        base = {"id": name, "object": "model", "created": created, "owned_by": "servestack"}
        return {**base, "capabilities": ["completion", "tools"]}

    open_ones = [shown("m", 5), shown("org/name", 5)]
    for path in ("/v1/models", "/models"):
        assert httpx.get(bench.url + path).json() == {"object": "list", "data": open_ones}
    for path in ("/v1/models/org%2Fname", "/v1/models/org/name", "/models/org%2Fname"):
        assert httpx.get(bench.url + path).json() == shown("org/name", 5)
    with bench.client(api_key=secret("all")) as client:
        assert [model.id for model in client.models.list()] == ["m", "org/name", "secret"]
        assert client.models.retrieve("secret").id == "secret"


@pytest.mark.parametrize("size", [2000, 5_000_000])
def test_a_body_above_the_limit_is_413(bench: Bench, size: int) -> None:
    bench.serve(max_body_bytes=1000)
    response = bench.post(b" " * size)
    assert (response.status_code, response.json()["error"]["code"]) == (413, "request_too_large")

    def pieces() -> Any:
        yield from (b" " * 1000 for _ in range(size // 1000))

    response = httpx.post(f"{bench.url}/v1/chat/completions", content=pieces())
    assert response.status_code == 413


def test_the_gateway_says_that_it_is_up(bench: Bench) -> None:
    assert httpx.get(f"{bench.url}/healthz").json() == {"status": "ok"}


def test_p79_a_second_replica_is_asked_where_the_first_fails(bench: Bench) -> None:
    busy = bench.upstream()
    busy.usual = failure(429, "Model is overloaded", "overloaded")
    for first in (bench.nobody(), busy.url):
        bench.register(bench.service(url=[first, bench.tgi.url]))
        for _ in range(4):
            assert bench.chat().choices[0].message.content == "Hello world"
            assert bench.events()[-1] == "[DONE]"


def test_p79_after_the_first_event_no_other_replica_is_asked(bench: Bench) -> None:
    bench.tgi.usual = stream(*[b'data:{"token":{"text":"a","special":false}}\n\n'], error_event("busy", "overloaded"))
    other = bench.upstream()
    other.usual = bench.tgi.usual
    bench.register(bench.service(url=[bench.tgi.url, other.url]))
    assert bench.events()[-1]["error"]["code"] == "model_overloaded"
    assert len(bench.tgi.generated) + len(other.generated) == 1


def test_the_replica_with_fewer_requests_in_flight_is_asked(bench: Bench) -> None:
    other = bench.upstream()
    bench.register(bench.service(url=[bench.tgi.url, other.url]))
    held = asyncio.Event()
    bench.tgi.usual = other.usual = stream(b'data:{"token":{"text":"a","special":false}}\n\n', held.wait())
    bench.tgi.usual = other.usual
    opened = [bench.client() for _ in range(1)]
    with opened[0] as client:
        first = client.chat.completions.create(model="m", messages=HI, stream=True)  # type: ignore[call-overload]
        next(first)
        busy, idle = (bench.tgi, other) if bench.tgi.generated else (other, bench.tgi)
        busy.usual = idle.usual = answer("b", "</s>*")
        for _ in range(3):
            bench.chat()
        assert (len(busy.generated), len(idle.generated)) == (1, 3)
        first.close()
