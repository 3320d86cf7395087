"""What holds for every input: cuts of a byte stream change nothing, no body makes the gateway fail."""

from __future__ import annotations

import itertools
import json
from typing import Any

import httpx
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway_lambda.errors import ServiceError
from gateway_lambda.generation.shown_text import ShownText
from gateway_lambda.generation.stops import Stops
from gateway_lambda.tgi.replies import EventReader
from tests.gateway.scripted_tgi import events, stream
from tests.gateway.serving import HI, Bench

SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
"""The fixture serves all examples: a gateway keeps nothing of a request."""


def cut(data: Any, at: list[int]) -> list[Any]:
    """`data` in pieces, cut at these places."""
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in at)})
    return [data[start:end] for start, end in itertools.pairwise(places)]


LINES = st.sampled_from(
    [
        b"data: {}",
        b'data:{"a":1}',
        "data: é€".encode(),
        b": comment",
        b"",
        b"",
        b"",
        b"event: x",
        b"data",
        b"data:",
        b"id",
    ]
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


def reference_events(text: bytes) -> list[bytes]:
    """The data of complete events, by the words of the specification of server-sent events."""
    found: list[bytes] = []
    data: list[bytes] = []
    *lines, _ = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    for line in lines:
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif not line and data:
            found.append(b"\n".join(data))
            data = []
    return found


@given(lines=st.lists(st.tuples(LINES, ENDS), max_size=12), at=st.lists(st.integers(0, 300), max_size=20))
@example(lines=[(b"data: a", b"\r"), (b"", b"\r\n"), (b"data: b", b"\n"), (b"", b"\n")], at=[8, 9, 10])
@example(lines=[(b"data: a", b"\n"), (b"", b"\n"), (b"data: b", b"\n"), (b"", b"\n")], at=[9])
def test_any_cuts_of_an_event_stream_give_the_same_events(lines: list[tuple[bytes, bytes]], at: list[int]) -> None:
    text = b"".join(line + end for line, end in lines)
    reader = EventReader()
    found = [event.removeprefix(b" ") for piece in cut(text, at) for event in reader.feed(piece)]
    assert found == [event.removeprefix(b" ") for event in reference_events(text)]


ALPHABET = st.text(alphabet="ab#é", max_size=24)
STOPS = st.lists(st.text(alphabet="ab#é", min_size=1, max_size=4), max_size=4)


def reference_text(text: str, stops: list[str]) -> tuple[str, str]:
    """The text before the occurrence that completes first, of those the longest; found by growing a prefix."""
    for end in range(1, len(text) + 1):
        ending = [stop for stop in stops if text[:end].endswith(stop)]
        if ending:
            return text[: end - max(map(len, ending))], "stop"
    return text, "length"


@settings(max_examples=300)
@given(text=ALPHABET, stops=STOPS, at=st.lists(st.integers(0, 24), max_size=24))
@example(text="aab#", stops=["ab", "b"], at=[])
@example(text="abab#a", stops=["abab#b", "b#a"], at=[1, 2, 3, 4, 5])
def test_any_cuts_of_a_text_into_tokens_end_it_at_the_same_place(text: str, stops: list[str], at: list[int]) -> None:
    pieces = cut(text, at) or [""]
    answer = ShownText(Stops(stops), None)
    shown = ""
    for number, piece in enumerate(pieces):
        before = shown
        shown += answer.take(piece, False, "length" if number == len(pieces) - 1 else None)
        assert shown.startswith(before)
        if answer.finish is not None:
            break
    assert (shown, answer.finish) == reference_text(text, stops)


@settings(max_examples=60, suppress_health_check=SHARED)
@given(
    texts=st.lists(st.sampled_from(["a", "#", "##", "é", "€uro", "", "</s>", "<X>*", " "]), min_size=1, max_size=8),
    finish=st.sampled_from(["length", "eos_token", "stop_sequence"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    at=st.lists(st.integers(0, 2000), max_size=40),
)
def test_any_cuts_of_an_upstreams_bytes_give_the_same_answer(
    bench: Bench, texts: list[str], finish: str, end: str, at: list[int]
) -> None:
    data = b"".join(events(*texts, finish=finish)).replace(b"\n", end.encode())
    merged: dict[str, Any] = {"stop": ["###", "a#"], "stream_options": {"include_usage": True}}
    seen: list[Any] = []
    for pieces in ([data], cut(data, at)):
        bench.tgi.replies.append(stream(*pieces))
        found = bench.events(**merged)
        text = "".join(each["choices"][0]["delta"].get("content", "") for each in found[:-2])
        seen.append((text, found[-3]["choices"][0]["finish_reason"], found[-2]["usage"], found[-1]))
    assert seen[0] == seen[1]


SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=8)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    [
        "temperature", "top_p", "seed", "stop", "n", "stream", "stream_options", "max_tokens", "max_completion_tokens",
        "frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs", "response_format", "tools",
        "tool_choice", "parallel_tool_calls", "functions", "function_call", "modalities", "audio", "reasoning_effort",
        "chat_template_kwargs", "add_generation_prompt", "continue_final_message", "top_k", "typical_p", "truncate",
        "repetition_penalty", "watermark", "messages", "prompt", "best_of", "echo", "suffix", "metadata", "model",
    ]
)  # fmt: skip
LIKELY = st.sampled_from(
    [
        0, 1, 2, 0.5, 1.0, -1, True, False, "a", "", "none", "auto", "required", [], {}, ["a"], [{"type": "function"}],
        {"include_usage": True}, {"type": "text"}, {"type": "json_object"}, {"type": "json_schema", "json_schema": {}},
        {"type": "function", "function": {"name": "f"}}, [{"role": "user", "content": [{"type": "text", "text": "x"}]}],
        [{"role": "assistant", "content": "x"}], [{"role": "tool", "content": "x", "tool_call_id": "1"}],
        [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"a": {}}}}}],
    ]
)  # fmt: skip


def expect_an_answer_or_the_clients_fault(response: httpx.Response) -> None:
    if response.status_code == 200:
        return
    assert 400 <= response.status_code < 500, response.text
    error = response.json()["error"]
    assert error["message"]
    assert set(error) == {"message", "type", "param", "code"}


@settings(max_examples=250, suppress_health_check=SHARED)
@given(
    fields=st.dictionaries(FIELDS, LIKELY | JSON, max_size=5),
    route=st.sampled_from(["/v1/chat/completions", "/v1/completions"]),
)
def test_any_fields_give_an_answer_or_a_client_error(bench: Bench, fields: dict[str, Any], route: str) -> None:
    base = {"messages": HI} if "chat" in route else {"prompt": "x"}
    expect_an_answer_or_the_clients_fault(bench.post({"model": "m", **base, **fields}, path=route))


@settings(max_examples=100, suppress_health_check=SHARED)
@given(body=st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body_gives_an_answer_or_a_client_error(bench: Bench, body: bytes) -> None:
    expect_an_answer_or_the_clients_fault(bench.post(body))


@settings(max_examples=100, suppress_health_check=SHARED)
@given(message=JSON, content=JSON)
def test_any_messages_give_an_answer_or_a_client_error(bench: Bench, message: Any, content: Any) -> None:
    for messages in ([message], message, [{"role": "user", "content": content}], [{"role": content, "content": "x"}]):
        expect_an_answer_or_the_clients_fault(bench.post(messages=messages))


@settings(max_examples=200)
@given(data=st.binary(max_size=200), at=st.lists(st.integers(0, 200), max_size=10))
def test_any_bytes_are_events_or_an_error(data: bytes, at: list[int]) -> None:
    reader = EventReader()
    try:
        for piece in cut(data, at):
            reader.feed(piece)
    except ServiceError:
        return
