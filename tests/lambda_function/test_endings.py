"""How answers end that the function cannot finish: at its deadline, at SIGTERM, and when the upstream breaks."""

from __future__ import annotations

import json
import signal
import time
from typing import Any

import pytest

from tests.lambda_function.conftest import TaskRoot
from tests.lambda_function.function import Function, function, wait_until_ready
from tests.lambda_function.rest_api import response
from tests.lambda_function.runtime_api import DEADLINE, Invocation
from tests.lambda_function.service import Answer, Asked, Service, Steps
from tests.lambda_function.test_openai import token
from tests.registry.scripted_dynamodb import Table

pytestmark = [getattr(pytest.mark, "lambda"), pytest.mark.xdist_group("lambda")]

EVENTS = [("content-type", "text/event-stream")]
ONE = b'data: {"choices":[{"index":0,"delta":{"content":"one"},"finish_reason":null}]}\n\n'
SHORT = 3.0
"""Seconds that a function may take here; the gateway ends its answers in nine tenths of it."""


@pytest.fixture(scope="module", autouse=True)
def passed_model(table: Table) -> None:
    table.put_run("vllm", host="vllm.example.org", model={"name": "v", "format": "openai"})


@pytest.fixture
def soon(served: Function) -> Any:
    served.api.deadline = SHORT
    yield served
    served.api.deadline = DEADLINE


def chat(served: Function, **more: Any) -> Invocation:
    body = json.dumps({"model": "v", "messages": [], "stream": True, **more}).encode()
    return served.invoke("POST", "/v1/chat/completions", body=body, headers=[("content-type", "application/json")])


def last_error(data: bytes, after: bytes) -> dict[str, Any]:
    assert data.startswith(after)
    (line,) = (line for line in data[len(after) :].split(b"\n") if line.startswith(b"data: "))
    return json.loads(line[6:])["error"]


def test_a_stream_ends_with_an_error_event_before_the_deadline(soon: Function, web: Service) -> None:
    web.answers = lambda asked: Answer(headers=EVENTS, pieces=slow(ONE))
    invocation = chat(soon)
    found = invocation.payload()
    assert invocation.ended_at < invocation.deadline, "the function would have been killed"
    error = last_error(found, ONE)
    assert (error["type"], error["code"]) == ("server_error", "out_of_time")
    assert not invocation.broken


def test_a_translated_stream_and_answer_end_before_the_deadline(soon: Function, web: Service) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path == "/generate":
            time.sleep(10 * SHORT)
        return Answer(status=404) if asked.path == "/info" else Answer(headers=EVENTS, pieces=slow(token(1, "Hel")))

    web.answers = answer
    invocation = chat(soon, model="m", messages=[{"role": "user", "content": "Hi"}])
    first, last = invocation.payload().split(b"Hel")
    assert first.startswith(b"data: {")
    assert last_error(last.partition(b"\n\n")[2], b"")["code"] == "out_of_time"
    assert invocation.ended_at < invocation.deadline
    invocation = chat(soon, model="m", messages=[{"role": "user", "content": "Hi"}], stream=False)
    found = response(invocation)
    assert (found.status, json.loads(found.body)["error"]["code"]) == (504, "out_of_time")
    assert invocation.ended_at < invocation.deadline


def test_a_runs_own_stream_ends_with_an_error_event_before_the_deadline(soon: Function, web: Service) -> None:
    web.answers = lambda asked: Answer(headers=EVENTS, pieces=slow(ONE))
    invocation = soon.invoke("GET", "/", host="web.example.org")
    assert last_error(invocation.payload(), ONE)["code"] == "out_of_time"
    assert invocation.ended_at < invocation.deadline


@pytest.mark.parametrize("path", ["/services/web/", "/v1/chat/completions"])
def test_a_plain_answer_is_504_before_the_deadline(soon: Function, web: Service, path: str) -> None:
    def late(asked: object) -> Answer:
        time.sleep(10 * SHORT)
        return Answer(body=b"late")

    web.answers = late
    invocation = soon.invoke("POST", path, body=b'{"model": "v"}', headers=[("content-type", "application/json")])
    found = response(invocation)
    assert invocation.ended_at < invocation.deadline
    assert (found.status, json.loads(found.body)["error"]["code"]) == (504, "out_of_time")
    assert found.headers["x-should-retry"] == ("false",)


def test_a_stream_that_breaks_ends_with_an_error_event(served: Function, web: Service) -> None:
    web.answers = lambda asked: Answer(headers=EVENTS, pieces=(ONE,), breaks_off=True)
    assert last_error(chat(served).payload(), ONE)["code"] == "upstream_incomplete"
    invocation = served.invoke("GET", "/", host="web.example.org")
    found, words, _ = invocation.payload().partition(b"Lambda-Runtime-Function-Error-Type")
    assert words, "its end is marked beside"
    assert last_error(found, ONE)["code"] == "upstream_incomplete"


def test_an_answer_in_json_that_breaks_off_is_an_error(served: Function, web: Service) -> None:
    kind = [("content-type", "application/json")]
    web.answers = lambda asked: Answer(headers=kind, pieces=(b'{"id": "1"}',), breaks_off=True)
    found = response(chat(served, stream=False))
    assert (found.status, json.loads(found.body)["error"]["code"]) == (500, "upstream_incomplete")


def slow(*pieces: bytes) -> Steps:
    """A stream that says `pieces` and no more."""
    steps = Steps(*pieces, b"")
    for _ in pieces:
        steps.go()
    return steps


@pytest.mark.parametrize("both", [False, True], ids=["the gateway first, as Lambda does", "both at once"])
def test_after_sigterm_a_stream_does_not_end_as_if_it_were_whole(
    task_root: TaskRoot, environment: dict[str, str], web: Service, both: bool
) -> None:
    web.answers = lambda asked: Answer(headers=EVENTS, pieces=slow(ONE))
    with function(task_root.folder, task_root.path, environment) as running:
        wait_until_ready(running)
        invocation = chat(running)
        assert invocation.piece(0).data == ONE
        running.gateway.signal(signal.SIGTERM)
        if both:
            assert running.adapter is not None
            running.adapter.signal(signal.SIGTERM)
        found = invocation.payload()
    assert invocation.broken or last_error(found, ONE)["code"] == "service_unavailable"
    assert both or not invocation.broken
