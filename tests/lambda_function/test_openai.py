"""The OpenAI API behind the web adapter."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.lambda_function.conftest import TaskRoot
from tests.lambda_function.function import Function, function, wait_until_ready
from tests.lambda_function.rest_api import Response
from tests.lambda_function.service import Answer, Asked, Service, Steps, as_json
from tests.registry.scripted_dynamodb import scripted_dynamodb

pytestmark = [getattr(pytest.mark, "lambda"), pytest.mark.xdist_group("lambda")]

JSON = [("content-type", "application/json")]
_INFO = {"version": "3.3.6", "max_total_tokens": 4096, "max_input_tokens": 4095, "max_stop_sequences": 4}


def token(number: int, text: str, last: bool = False) -> bytes:
    """One event of TGI's stream."""
    details = {"finish_reason": "length", "generated_tokens": number, "seed": None, "input_length": 3}
    event = {
        "index": number,
        "token": {"id": number, "text": text, "logprob": -0.5, "special": False},
        "generated_text": "Hello" if last else None,
        "details": details if last else None,
    }
    return b"data:" + as_json(event) + b"\n\n"


@pytest.fixture
def tgi(web: Service) -> Service:
    """A text-generation-inference that says Hello."""
    web.answers = lambda asked: _answer(asked, [token(1, "Hel"), token(2, "lo", last=True)])
    return web


def chat(served: Function, **fields: Any) -> Any:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}
    return served.invoke("POST", "/v1/chat/completions", headers=JSON, body=json.dumps(body).encode())


def test_tokens_arrive_as_they_are_generated(served: Function, tgi: Service) -> None:
    steps = Steps(token(1, "Hel"), token(2, "lo", last=True))
    tgi.answers = lambda asked: _answer(asked, steps)
    invocation = chat(served, stream=True)
    steps.go()
    number = 0
    while b"Hel" not in invocation.piece(number).data:
        number += 1
    assert b"[DONE]" not in invocation.piece(number).data, "the second token was not let go yet"
    steps.go()
    events = _events(invocation.payload())
    assert events[-1] == "[DONE]"
    assert "".join(event["choices"][0]["delta"].get("content") or "" for event in events[:-1]) == "Hello"
    assert invocation.metadata()["headers"]["content-type"].startswith("text/event-stream")


def test_a_plain_answer_is_whole(served: Function, tgi: Service) -> None:
    body = json.loads(chat(served).payload())
    assert body["choices"][0]["message"]["content"] == "Hello"
    assert body["object"] == "chat.completion"


def test_a_stream_whose_upstream_breaks_off_ends_with_an_error_event(served: Function, tgi: Service) -> None:
    tgi.answers = lambda asked: _answer(asked, [token(1, "Hel")], breaks_off=True)
    payload = chat(served, stream=True).payload()
    events = _events(payload)
    assert [event["error"]["code"] for event in events if isinstance(event, dict) and "error" in event] == [
        "upstream_incomplete"
    ]
    assert b"Lambda-Runtime" not in payload, "the stream itself ends as it should"


def test_comments_keep_a_stream_alive_while_its_upstream_is_silent(
    task_root: TaskRoot, environment: dict[str, str], tgi: Service
) -> None:
    """The API ends what is silent for five minutes, before the first byte too."""
    steps = Steps(token(1, "Hello", last=True))
    tgi.answers = lambda asked: _answer(asked, steps)
    often = {**environment, "GATEWAY_COMMIT_AFTER": "0.1", "GATEWAY_KEEP_ALIVE": "0.1"}
    with function(task_root.folder, task_root.path, often) as running:
        wait_until_ready(running)
        invocation = chat(running, stream=True)
        assert invocation.metadata()["statusCode"] == 200
        invocation.piece(3)
        silent = b"".join(piece.data for piece in invocation.pieces)
        steps.go()
        payload = invocation.payload()
    assert silent.count(b"\n:") + silent.startswith(b":") >= 2
    assert b"Hello" not in silent
    assert b'"content":"Hello"' in payload
    assert payload.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "invalid_json"),
        (b'{"model": "nobody", "messages": []}', 404, "model_not_found"),
        (b'{"model": "m", "messages": 5}', 400, "invalid_type"),
    ],
)
def test_errors_keep_status_and_shape(served: Function, tgi: Service, body: bytes, status: int, code: str) -> None:
    headers = [*JSON, ("authorization", "Bearer ss-alice")]
    response = served.ask("POST", "/chat/completions", headers=headers, body=body)
    assert (response.status, _error(response)["code"]) == (status, code)
    assert response.headers["content-type"] == ("application/json",)


@pytest.mark.parametrize("path", ["/v1/models", "/models"])
def test_models_are_listed(served: Function, tgi: Service, path: str) -> None:
    found = json.loads(served.ask("GET", path).body)
    assert [model["id"] for model in found["data"]] == ["m"]


@pytest.mark.parametrize("trouble", ["registry", "load balancer"])
def test_what_is_missing_behind_the_function_is_a_503_or_502(
    task_root: TaskRoot, environment: dict[str, str], trouble: str
) -> None:
    with scripted_dynamodb() as table:
        table.put_run("web", host="web.example.org")
        if trouble == "registry":
            table.refusal = (400, {"__type": "x#AccessDeniedException", "Message": "not allowed"})
        changed = {"AWS_ENDPOINT_URL_DYNAMODB": table.url, "GATEWAY_UPSTREAM": "http://127.0.0.1:1"}
        with function(task_root.folder, task_root.path, {**environment, **changed}) as running:
            wait_until_ready(running)
            assert running.ask("GET", "/healthz").status == 200, "it serves without either"
            response = running.ask("GET", "/", host="web.example.org")
            table.refusal = None
            after = running.ask("GET", "/", host="web.example.org")
        wanted = {"registry": (503, "service_unavailable"), "load balancer": (502, "upstream_unreachable")}[trouble]
        assert (response.status, _error(response)["code"]) == wanted
        assert after.status == 502
        assert "AccessDeniedException" in running.gateway.output if trouble == "registry" else True
        assert "no-log-may-hold" not in running.gateway.output


def _answer(asked: Asked, stream: Any, breaks_off: bool = False) -> Answer:
    kind = [("content-type", "application/json")]
    if asked.path == "/info":
        return Answer(headers=kind, body=as_json(_INFO))
    if asked.path == "/generate_stream":
        return Answer(headers=[("content-type", "text/event-stream")], pieces=stream, breaks_off=breaks_off)
    if asked.path in ("/", "/generate"):
        last = {"finish_reason": "length", "generated_tokens": 2, "prefill": [], "tokens": []}
        return Answer(headers=kind, body=as_json({"generated_text": "Hello", "details": last}))
    return Answer(status=404, headers=kind, body=b"{}")


def _events(payload: bytes) -> list[Any]:
    data = [line[6:] for line in payload.decode().split("\n") if line.startswith("data: ")]
    return [each if each == "[DONE]" else json.loads(each) for each in data]


def _error(response: Response) -> dict[str, Any]:
    return json.loads(response.body)["error"]
