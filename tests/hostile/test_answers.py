"""Whatever a replica answers becomes an answer or an error, cheaply, in a gateway that has 256 MB."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.gateway.scripted_tgi import INFO, Script
from tests.gateway.serving import HI, Bench
from tests.hostile.answers import ERRORS, STREAMED, WHOLE
from tests.hostile.limited import Limited
from tests.hostile.scripts import streamed, whole

_TOOL = {"type": "function", "function": {"name": "f"}}
_ASKED: dict[str, dict[str, Any]] = {
    "plainly": {},
    "with scores": {"logprobs": True, "top_logprobs": 5},
    "with tools": {"tools": [_TOOL]},
}


@pytest.fixture(autouse=True)
def _as_before(bench: Bench) -> Any:
    usual, info = bench.tgi.usual, bench.tgi.info
    yield
    bench.tgi.usual, bench.tgi.info = usual, info


def _wrong(bench: Bench, gateway: Limited, name: str, script: Script, **asked: Any) -> list[str]:
    bench.tgi.usual = script
    body = {"model": "m", "messages": HI, **asked}
    answer, wrong = gateway.ask("/v1/chat/completions", json.dumps(body).encode())
    text = answer.text
    events = [line[6:] for line in text.split("\n") if line.startswith("data: ")]
    if "event-stream" in answer.headers.get("content-type", ""):
        if events[-1] != "[DONE]" and "error" not in json.loads(events[-1]):
            wrong.append(f"the stream ends with {events[-1][:200]}")
    elif answer.status_code != 200 and set(answer.json()["error"]) - {"message", "type", "param", "code"}:
        wrong.append(text[:200])
    return [f"{name}: {each}" for each in wrong]


@pytest.mark.parametrize("asked", _ASKED)
def test_no_whole_answer_costs_much(bench: Bench, gateway: Limited, asked: str) -> None:
    given = [(name, whole(body)) for name, body in WHOLE.items()]
    assert [each for name, script in given for each in _wrong(bench, gateway, name, script, **_ASKED[asked])] == []


@pytest.mark.parametrize("asked", _ASKED)
def test_no_stream_costs_much(bench: Bench, gateway: Limited, asked: str) -> None:
    fields = {"stream": True, **_ASKED[asked]}
    given = [(name, streamed(body)) for name, body in STREAMED.items()]
    assert [each for name, script in given for each in _wrong(bench, gateway, name, script, **fields)] == []


@pytest.mark.parametrize("model", ["m", "o"])
@pytest.mark.parametrize("status", [400, 429, 500])
def test_no_error_costs_much(bench: Bench, gateway: Limited, model: str, status: int) -> None:
    given = [(name, whole(body, status)) for name, body in ERRORS.items()]
    assert [each for name, script in given for each in _wrong(bench, gateway, name, script, model=model)] == []


def test_what_a_replica_says_of_itself_costs_little(bench: Bench, gateway: Limited) -> None:
    bench.tgi.info = {**INFO, "more": [{}] * 1_000_000, "version": "1" * 5000, "docker_label": "a" * 1_000_000}
    assert gateway.ask("/v1/chat/completions", json.dumps({"model": "m", "messages": HI}).encode())[1] == []
