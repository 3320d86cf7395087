"""The line of JSON of each request: whole lines, for every way in which a request can go."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway.keys import ALL, secret
from tests.gateway.raw_http import Caller
from tests.gateway.request_lines import FAST, STREAMED, Lines, expected
from tests.gateway.scripted_tgi import (
    Asked,
    Script,
    Write,
    answer,
    broken_stream,
    error_event,
    events,
    failure,
    hang_up,
    never,
    reply,
    stream,
)
from tests.gateway.serving import HI, Bench
from tests.gateway.test_openai_format import COMPLETION
from tests.gateway.test_passed_streams import DONE, LAST, ONE, TOLD

TOKENS = {"PromptTokens": 7, "CompletionTokens": 4}
USAGE = {"prompt_tokens": 31, "total_tokens": 36, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 9}}
USED = {"PromptTokens": 31, "CompletionTokens": 5}
OWN_USAGE = b'data: {"choices":[],"usage":' + json.dumps(USAGE).encode() + b"}\n\n"
CHAT, RUN_CHAT = "POST /v1/chat/completions", "POST /services/run/v1/chat/completions"
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": HI},
    "/v1/completions": {"prompt": "Hi"},
    "/v1/responses": {"input": "Hi"},
    "/v1/messages": {"messages": HI, "max_tokens": 9},
}


async def _apart(asked: Asked, write: Write) -> None:
    """The usage, the end of the events and the end of the body come one after the other."""
    pieces = (ONE, asyncio.sleep(0.05), OWN_USAGE, asyncio.sleep(0.05), DONE, asyncio.sleep(0.05))
    await stream(*pieces)(asked, write)


@pytest.fixture
def lines(bench: Bench, tmp_path: Path) -> Callable[..., Lines]:
    def serve(**settings: Any) -> Lines:
        return Lines(bench, tmp_path / "lines", **settings)

    return serve


@pytest.mark.parametrize("path", BODIES)
def test_each_dialect_has_the_tokens_of_its_answers_and_its_streams(
    bench: Bench, lines: Callable[..., Lines], path: str
) -> None:
    written = lines()
    assert bench.post({"model": "m", **BODIES[path]}, path=path).status_code == 200
    assert written.new() == [expected(f"POST {path}", Run="run", **TOKENS)]
    assert bench.post({"model": "m", **BODIES[path], "stream": True}, path=path).status_code == 200
    assert written.new() == [expected(f"POST {path}", Run="run", **TOKENS, **FAST)]


def test_all_choices_count_and_the_prompt_once(bench: Bench, lines: Callable[..., Lines]) -> None:
    written = lines()
    bench.post(n=2)
    bench.post(n=2, stream=True)
    bench.post({"model": "m", "prompt": ["a", "b"], "n": 1, "best_of": 3}, path="/v1/completions")
    assert written.new(3) == [
        expected(CHAT, Run="run", PromptTokens=7, CompletionTokens=8),
        expected(CHAT, Run="run", PromptTokens=7, CompletionTokens=8, **FAST),
        expected("POST /v1/completions", Run="run", PromptTokens=14, CompletionTokens=24),
    ]


def test_what_the_replica_does_not_count_is_absent(bench: Bench, lines: Callable[..., Lines]) -> None:
    bench.tgi.tokens = None
    bench.tgi.usual = answer("a", prompt_tokens=None, input_length=None)
    written = lines()
    bench.post()
    bench.post(stream=True)
    assert written.new(2) == [
        expected(CHAT, Run="run", CompletionTokens=1),
        expected(CHAT, Run="run", CompletionTokens=1, **STREAMED),
    ]


def test_counting_tokens_answers_no_tokens(bench: Bench, lines: Callable[..., Lines]) -> None:
    written = lines()
    bench.post({"model": "m", "messages": HI}, path="/v1/messages/count_tokens")
    assert written.new() == [expected("POST /v1/messages/count_tokens", Run="run")]


@pytest.mark.parametrize(
    ("script", "members"),
    [
        (reply(200, json.dumps({**COMPLETION, "usage": USAGE})), USED),
        (reply(200, json.dumps({"usage": USAGE, "data": ["usage", {"usage": None}]}, indent=1)), USED),
        (reply(200, json.dumps({**COMPLETION, "usage": {"input_tokens": 3, "output_tokens": 2}})), None),
        (reply(200, json.dumps(COMPLETION)), {}),
        (reply(200, json.dumps({"choices": [{"text": '"usage": {"prompt_tokens": 1}'}]})), {}),
        (stream(ONE, LAST, OWN_USAGE, DONE), {**USED, **FAST}),
        (stream(ONE, LAST, DONE), STREAMED),
        (stream(ONE, TOLD, DONE), {**STREAMED, "Errors": 1, "error": "upstream_error"}),
        (stream(ONE, LAST), STREAMED),
        (stream(ONE), {**STREAMED, "Errors": 1, "error": "upstream_incomplete"}),
        (broken_stream(ONE), {**STREAMED, "Errors": 1, "error": "upstream_incomplete"}),
        (broken_stream(ONE, DONE), STREAMED),
    ],
    ids=[
        *("usage", "usage before the rest", "other names", "no usage", "usage in the text", "stream with usage"),
        *("stream without", "told error", "without [DONE]", "too short", "broken", "broken after its end"),
    ],
)
def test_models_of_openai_s_api_say_their_usage_themselves(
    bench: Bench, lines: Callable[..., Lines], script: Script, members: dict[str, Any] | None
) -> None:
    bench.register(bench.service(format="openai"))
    bench.tgi.usual = script
    written = lines()
    assert bench.post().status_code == 200
    found = {"PromptTokens": 3, "CompletionTokens": 2} if members is None else members
    assert written.new() == [expected(CHAT, Run="run", **found)]


@pytest.mark.parametrize("size", [100, 900_000, 2_000_000])
@pytest.mark.parametrize("path", ["/v1/embeddings", "/services/run/v1/embeddings"])
def test_a_list_of_embeddings_has_its_usage_before_or_behind_it(
    bench: Bench, lines: Callable[..., Lines], path: str, size: int
) -> None:
    bench.register(bench.service(format="openai"))
    written = lines()
    members = [("data", "A" * size), ("usage", {"prompt_tokens": 3, "total_tokens": 3})]
    for order in (members, members[::-1]):
        bench.tgi.usual = reply(200, json.dumps(dict(order)))
        assert bench.post({"model": "m", "input": "Hi"}, path=path).json() == dict(order)
        assert written.new() == [expected(f"POST {path}", Run="run", PromptTokens=3)]


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/messages"])
def test_an_answer_of_a_model_has_its_usage_anywhere(bench: Bench, lines: Callable[..., Lines], path: str) -> None:
    """vLLM can write the messages of the prompt and of the answer behind it."""
    bench.register(bench.service(format="openai"))
    written = lines()
    usage = {"input_tokens": 3, "output_tokens": 5}
    answer = json.dumps({"output": "A" * 300_000, "usage": usage, "output_messages": "A" * 300_000})
    bench.tgi.usual = reply(200, answer)
    assert bench.post({"model": "m", "input": "Hi"}, path=path).text == answer
    assert written.new() == [expected(f"POST {path}", Run="run", PromptTokens=3, CompletionTokens=5)]


@pytest.mark.parametrize(
    ("path", "last", "tokens"),
    [
        (
            "/v1/responses",
            {
                "type": "response.completed",
                "response": {"usage": {"input_tokens": 8, "output_tokens": 2}, "user": None},
            },
            {"PromptTokens": 8, "CompletionTokens": 2},
        ),
        (
            "/v1/messages",
            {"type": "message_stop", "usage": {"output_tokens": 2}},
            {"CompletionTokens": 2},
        ),
    ],
)
def test_streams_of_the_other_dialects_pass_with_their_usage(
    bench: Bench, lines: Callable[..., Lines], path: str, last: dict[str, Any], tokens: dict[str, int]
) -> None:
    bench.register(bench.service(format="openai"))
    end = f"event: {last['type']}\ndata: {json.dumps(last)}\n\n".encode()
    bench.tgi.usual = stream(b'event: begin\ndata: {"type":"begin"}\n\n', end)
    written = lines()
    bench.post({"model": "m", **BODIES[path], "stream": True}, path=path)
    assert written.new() == [expected(f"POST {path}", Run="run", **tokens, **FAST)]


@pytest.mark.parametrize(
    ("path", "shown", "script", "members"),
    [
        ("/generate", "/generate", answer("a", "b"), {"CompletionTokens": 2, "PromptTokens": 7}),
        ("/generate_stream", "/generate_stream", answer("a", "b"), {"CompletionTokens": 2, "PromptTokens": 7, **FAST}),
        ("/v1/chat/completions", "/v1/chat/completions", reply(200, json.dumps({"usage": USAGE})), USED),
        ("/v1/chat/completions", "/v1/chat/completions", stream(ONE, OWN_USAGE, DONE), {**USED, **FAST}),
        ("/v1/chat/completions", "/v1/chat/completions", _apart, {**USED, **FAST}),
        ("/people/ann?token=x", "/…", reply(200, "<p>", "text/html"), {}),
        ("/v1/embeddings", "/v1/embeddings", reply(200, b'{"usage":{"prompt_tokens":3}}'), {"PromptTokens": 3}),
        ("/own", "/…", reply(503, "{}"), {"status": 503, "Errors": 1}),
    ],
)
def test_a_run_s_own_service_has_lines_and_its_usage_where_it_says_it(
    bench: Bench, lines: Callable[..., Lines], path: str, shown: str, script: Script, members: dict[str, Any]
) -> None:
    headers = {"x-generated-tokens": "2", "x-prompt-tokens": "7"}
    if path == "/generate":
        script = reply(200, '{"generated_text": "ab"}', **headers)
    bench.tgi.usual = bench.tgi.replies.append(script) or script
    bench.tgi.own = script  # type: ignore[attr-defined]
    written = lines()
    bench.http.post(f"{bench.url}/services/run{path}", json={})
    assert written.new() == [expected(f"POST /services/run{shown}", Run="run", **members)]


def test_a_host_of_a_run_is_written_as_its_path(bench: Bench, lines: Callable[..., Lines]) -> None:
    bench.tgi.usual = reply(200, "{}")
    bench.register(bench.service(model=None))
    written = lines(domain="example.com")
    bench.http.get(f"{bench.url}/v1/models", headers={"host": "run.example.com"})
    bench.http.get(f"{bench.url}/health", headers={"host": "nowhere.example.com"})
    assert written.new(2) == [
        expected("GET /services/run/v1/models", Run="run", model=None),
        expected("GET /services/…", 404, error="not_found"),
    ]


def test_what_is_refused_has_a_line_with_the_code_and_no_name_of_the_caller_s(
    bench: Bench, lines: Callable[..., Lines]
) -> None:
    limited = {**ALL, "requests_per_minute": 1}
    bench.register(bench.service(auth=True), keys=(limited,))
    written = lines()
    key = {"authorization": f"Bearer {secret('all')}"}
    chat = {"model": "m", "messages": HI}

    def post(body: Any, headers: dict[str, str], path: str = "/v1/chat/completions") -> None:
        bench.http.post(bench.url + path, json=body, headers=headers)

    post(chat, {})
    post(chat, {"authorization": "Bearer wrong"})
    post({**chat, "model": "secret"}, key)
    post(chat, key)
    post(chat, key)
    post({**chat, "temperature": "hot"}, key)
    post(chat, key, "/v1/secret")
    bench.http.put(f"{bench.url}/v1/models", headers=key)
    assert written.new(8) == [
        expected(CHAT, 401, error="invalid_api_key"),
        expected(CHAT, 401, error="invalid_api_key"),
        expected(CHAT, 404, error="model_not_found", key="all"),
        expected(CHAT, Run="run", key="all", **TOKENS),
        expected(CHAT, 429, error="rate_limit_exceeded", Run="run", key="all"),
        expected(CHAT, 429, error="rate_limit_exceeded", Run="run", key="all"),
        expected("POST /…", 429, error="rate_limit_exceeded", Run="run", key="all"),
        expected("PUT /v1/models", 405, error="method_not_allowed"),
    ]


def test_models_runs_and_the_page_have_lines_and_health_checks_have_none(
    bench: Bench, lines: Callable[..., Lines]
) -> None:
    bench.register(bench.service(auth=True), keys=(ALL,))
    written = lines()
    key = {"authorization": f"Bearer {secret('all')}"}
    for path in ("/healthz", "/v1/health", "//health", "/v1/models", "/models/m", "/runs", "/metrics"):
        assert bench.http.get(bench.url + path, headers=key).status_code == 200
    assert bench.http.get(bench.url, headers={"accept": "text/html"}).status_code == 200
    assert written.new(5) == [
        expected("GET /v1/models", key="all"),
        expected("GET /v1/models/…", key="all"),
        expected("GET /runs", key="all"),
        expected("GET /metrics", key="all"),
        expected("GET /"),
    ]


def test_failures_count_as_errors_and_mistakes_do_not(bench: Bench, lines: Callable[..., Lines]) -> None:
    written = lines()
    bench.post({"model": "m"})
    bench.post(b"{")
    bench.tgi.usual = failure(424, "CUDA out of memory", "generation")
    bench.post()
    bench.tgi.usual = hang_up
    bench.post(stream=True)
    found = written.new(4)
    assert [(line["status"], line["error"], line["Errors"], line["stream"]) for line in found] == [
        (400, "invalid_type", 0, False),
        (400, "invalid_json", 0, False),
        (500, "generation_failed", 1, False),
        (502, "upstream_unreachable", 1, False),
    ]


def test_a_stream_that_is_cut_is_an_error_with_the_tokens_that_came(bench: Bench, lines: Callable[..., Lines]) -> None:
    written = lines()
    first, second, *_ = events("a", "b", "c")
    bench.tgi.usual = stream(first, second, error_event("CUDA out of memory", "generation"))
    bench.post(stream=True)
    bench.tgi.usual = broken_stream(first)
    bench.post(stream=True)
    failed = {"Errors": 1, "status": 200}
    assert written.new(2) == [
        expected(CHAT, Run="run", CompletionTokens=2, **FAST, **failed, error="generation_failed"),
        expected(CHAT, Run="run", CompletionTokens=1, **STREAMED, **failed, error="upstream_incomplete"),
    ]


def test_who_leaves_has_a_line_with_the_tokens_that_came(bench: Bench, lines: Callable[..., Lines]) -> None:
    written = lines()
    bench.tgi.usual = stream(*events("a", "b", "c")[:2], asyncio.Event().wait())
    with httpx.stream(
        "POST", f"{bench.url}{CHAT[5:]}", json={"model": "m", "messages": HI, "stream": True}
    ) as response:
        pieces = response.iter_raw()
        while b'"b"' not in next(pieces):
            pass
    (line,) = written.new()
    assert line == expected(CHAT, Run="run", CompletionTokens=2, **FAST, client_left=True)
    bench.tgi.usual = never
    bench.leave()
    (line,) = written.new()
    assert line == expected(CHAT, 0, Run="run", client_left=True)


def test_a_body_that_does_not_come_has_a_line(bench: Bench, lines: Callable[..., Lines]) -> None:
    written = lines()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"
    with Caller(bench.port) as caller:
        caller.send(head)
    assert written.new() == [expected(CHAT, 0, client_left=True)]


def test_who_waits_for_a_replica_is_held(bench: Bench, lines: Callable[..., Lines]) -> None:
    """Two replicas that have not answered two requests each are asked whether they are there, and do not say it."""
    bench.tgi.usual = never
    bench.register(bench.service(format="openai", url=[bench.tgi.url, bench.tgi.url]))
    written = lines()
    request = chat_request()
    with contextlib.ExitStack() as stack:
        for count in range(1, 5):
            stack.enter_context(Caller(bench.port)).send(request)
            bench.loop.run(until(lambda count=count: [each.method for each in bench.tgi.asked].count("POST") == count))
        # The fourth request had the first replica asked. An answer to that would let the next one pass at once.
        bench.loop.run(until(lambda: "GET" in [each.method for each in bench.tgi.asked]))
        bench.tgi.usual = reply(200, json.dumps(COMPLETION))
        assert bench.post().status_code == 200
        assert written.new() == [expected(CHAT, Run="run", held_ms=True)]
    assert written.new(4) == [expected(CHAT, 0, Run="run", client_left=True)] * 4


def chat_request() -> bytes:
    body = json.dumps({"model": "m", "messages": HI}).encode()
    return b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


async def until(true: Callable[[], bool]) -> None:
    """Let the others work until this is so."""
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0)
