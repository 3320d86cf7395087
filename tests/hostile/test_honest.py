"""The largest that an honest caller sends, and an honest replica answers, fits into 256 MB with room."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.gateway.scripted_tgi import Script, event_bytes, token
from tests.gateway.serving import HI, Bench
from tests.hostile.limited import Limited
from tests.hostile.scripts import streamed, whole

_MB = 1024 * 1024
_TOP = [token(text, 1, -1.5) for text in ("the", " a", "\u00e9", " 1", "\n")]


def _chat(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "messages": HI, **fields}, ensure_ascii=False).encode()


def _image() -> bytes:
    url = "data:image/png;base64," + base64.b64encode(os.urandom(1_250_000)).decode()
    parts = [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": url}}]
    return _chat(model="v", messages=[{"role": "user", "content": parts}])


def _long_chat() -> bytes:
    """An agent's, with tools and what they answered: 60,000 values."""
    arguments = json.dumps({"path": "a/b.py", "lines": list(range(8)), "text": 'x = {"a": [1, 2], "b": {}}\n' * 20})
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    turn = [
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "x, y\n" * 99},
    ]
    tools = [
        {
            "type": "function",
            "function": {"name": f"f{n}", "parameters": {"properties": {f"p{k}": {} for k in range(20)}}},
        }
        for n in range(128)
    ]
    return _chat(messages=[*HI, *turn * 1000], tools=tools)


REQUESTS: Mapping[str, Callable[[], tuple[str, bytes]]] = {
    "five megabytes of prompt": lambda: ("/v1/completions", _chat(prompt="word " * _MB)),
    "five megabytes of emoji": lambda: ("/v1/completions", _chat(prompt="\U0001f600" * (5 * _MB // 4), echo=True)),
    "sixty-four prompts": lambda: ("/v1/completions", _chat(prompt=["word " * 16_000] * 64)),
    "a long text": lambda: ("/v1/chat/completions", _chat(messages=[{"role": "user", "content": "word, " * 290_000}])),
    "a long chat": lambda: ("/v1/chat/completions", _long_chat()),
    "an image": lambda: ("/v1/chat/completions", _image()),
    "token numbers that are passed on": lambda: ("/v1/embeddings", _chat(model="o", input=[[1234] * 1000] * 1000)),
    "a stream": lambda: ("/v1/chat/completions", _chat(stream=True, stream_options={"include_usage": True})),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_the_largest_honest_request_fits(bench: Bench, gateway: Limited, name: str) -> None:
    path, body = REQUESTS[name]()
    answer, wrong = gateway.ask(path, body)
    assert (answer.status_code, wrong) == (200, []), answer.text[:300]


def _answer(count: int, text: str, likely: int) -> Script:
    tokens = [token(text, number) for number in range(count)]
    details = {
        "finish_reason": "length",
        "generated_tokens": count,
        "prefill": [],
        "tokens": tokens,
        "top_tokens": [_TOP[:likely]] * count if likely else None,
    }
    return whole(json.dumps({"generated_text": text * count, "details": details}, ensure_ascii=True).encode())


ANSWERS: Mapping[str, tuple[Callable[[], Script], dict[str, Any]]] = {
    "a hundred thousand tokens": (lambda: _answer(100_000, " word", 0), {}),
    "as many with their scores": (lambda: _answer(100_000, " word", 0), {"logprobs": True}),
    "forty thousand with the likeliest": (lambda: _answer(40_000, " word", 5), {"logprobs": True, "top_logprobs": 5}),
    "a hundred thousand while calls are looked for": (
        lambda: _answer(100_000, " {}", 0),
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
    ),
    "a hundred thousand streamed": (
        lambda: streamed(
            event_bytes({"token": token(" word"), "top_tokens": _TOP}) * 100_000
            + event_bytes(
                {
                    "token": token("."),
                    "generated_text": " word" * 100_000,
                    "details": {"finish_reason": "length", "generated_tokens": 100_001},
                }
            )[:-2]
        ),
        {"stream": True},
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_the_largest_honest_answer_fits(bench: Bench, gateway: Limited, name: str) -> None:
    script, asked = ANSWERS[name]
    usual, bench.tgi.usual = bench.tgi.usual, script()
    answer, wrong = gateway.ask("/v1/chat/completions", _chat(**asked), seconds=30)
    bench.tgi.usual = usual
    assert (answer.status_code, wrong) == (200, []), answer.text[-300:]
    assert '"finish_reason":"length"' in answer.text


def test_a_long_answer_is_passed_on(bench: Bench, gateway: Limited) -> None:
    usual, bench.tgi.usual = bench.tgi.usual, whole(json.dumps({"data": [[0.5] * 1000] * 6000}).encode())
    answer, wrong = gateway.ask("/v1/embeddings", _chat(model="o", input="a"))
    bench.tgi.usual = usual
    assert (len(answer.json()["data"]), wrong) == (6000, [])
