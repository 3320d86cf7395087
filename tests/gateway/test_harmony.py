"""The answers of gpt-oss, as its own documentation and template write them (docs/translation.md#reasoning)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_lambda.generation.choice import ToolCall
from gateway_lambda.generation.deltas import Delta
from gateway_lambda.generation.harmony import HarmonyParser
from gateway_lambda.tools.gathered_calls import gather, gather_reasoning
from tests.gateway.scripted_tgi import answer
from tests.gateway.serving import Bench

ANALYSIS = "<|channel|>analysis<|message|>Hm, 2 + 2.<|end|>"
FINAL = "<|start|>assistant<|channel|>final<|message|>It is 4."
CALL = '<|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{"a": 1}<|call|>'
BY_TEMPLATE = '<|start|>assistant to=functions.f<|channel|>commentary json<|message|>{"a": 2}<|call|>'
PREAMBLE = "<|start|>assistant<|channel|>commentary<|message|>I look it up.<|end|>"
TEMPLATE = "{# <|channel|>analysis<|message|> #}{{ tools }}[{{ messages[-1].content }}]<|start|>assistant"
F: dict[str, Any] = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}

Parsed = tuple[str | None, str | None, list[str]]


def parsed(pieces: Iterable[str], *, parallel: bool = True) -> Parsed:
    """Reasoning, content, and the arguments of the calls of `f`. A piece that begins with `*` is a control token."""
    parser = HarmonyParser({"f"}, parallel=parallel, new_id=lambda: "call")
    deltas: list[Delta] = []
    for piece in pieces:
        deltas += parser.mark(piece[1:]) if piece.startswith("*") else parser.feed(piece)
    deltas += parser.finish()
    answer = gather(deltas)
    assert answer.calls == tuple(ToolCall("call", "f", call.arguments) for call in answer.calls)
    return gather_reasoning(deltas), answer.content, [call.arguments for call in answer.calls]


ROWS: list[tuple[str, Parsed]] = [
    (ANALYSIS + FINAL + "<|return|>", ("Hm, 2 + 2.", "It is 4.", [])),
    (ANALYSIS + CALL, ("Hm, 2 + 2.", None, ['{"a": 1}'])),
    (ANALYSIS + PREAMBLE + CALL + BY_TEMPLATE, ("Hm, 2 + 2.", "I look it up.", ['{"a": 1}', '{"a": 2}'])),
    (ANALYSIS + "<|start|>assistant" + ANALYSIS + FINAL, ("Hm, 2 + 2.\n\nHm, 2 + 2.", "It is 4.", [])),
    (ANALYSIS + "<|channel|>final<|message|>4", ("Hm, 2 + 2.", "4", [])),
    ("<|channel|>analysis<|message|>cut <|en", ("cut <|en", "", [])),
    ("<|channel|>analysis<|message|>a<|channel|>final<|message|>b", ("a", "b", [])),
    ("<|channel|>final<|message|>Just <|this|>", (None, "Just <|this|>", [])),
    ('<|channel|>commentary to=functions.nobody<|message|>{"a": 1}<|call|>', (None, '{"a": 1}', [])),
    ("<|channel|>commentary to=functions.f<|message|>no object<|call|>", (None, "no object", [])),
    ('<|channel|>analysis<|message|>I write to=functions.f {"a": 1}', ('I write to=functions.f {"a": 1}', "", [])),
    (" to=functions.f<|channel|>commentary json<|message|>{}<|call|>", (None, None, ["{}"])),
    ("No channel at all.", (None, "No channel at all.", [])),
    ("to be", (None, "to be", [])),
    ("to=", (None, "to=", [])),
    ("assistant", (None, "assistant", [])),
    ("", (None, "", [])),
]


@pytest.mark.parametrize(("text", "expected"), ROWS)
def test_channels_are_told_from_each_other(text: str, expected: Parsed) -> None:
    tokens = text.replace("<|", "\0*<|").replace("|>", "|>\0").split("\0")
    shown = "<|this|>" not in text and "<|en" not in text.replace("<|end|>", "")
    for pieces in ([text], list(text), *([tokens] if shown else [])):
        assert parsed(pieces) == expected


def test_a_final_message_needs_no_parser_once_its_control_token_came() -> None:
    parser = HarmonyParser()
    shown = [parser.plain]
    for token in ("<|channel|>", "final", "<|message|>"):
        parser.feed(token) if token == "final" else parser.mark(token)
        shown.append(parser.plain)
    assert shown == [False, False, False, True]
    parser = HarmonyParser()
    parser.feed("<|channel|>final<|message|>a <")
    assert not parser.plain


def test_only_one_call_is_made_where_only_one_is_wanted() -> None:
    assert parsed([CALL + CALL + FINAL], parallel=False) == (None, None, ['{"a": 1}'])


_PARTS = [
    ANALYSIS,
    FINAL,
    CALL,
    PREAMBLE,
    "<|end|>",
    "<|channel|>",
    "<|message|>",
    "<|",
    "final",
    "to=functions.f",
    "a",
]
texts = st.lists(st.sampled_from(_PARTS) | st.text("<|>ab{} \n", max_size=3), max_size=8).map("".join)


@given(texts, st.lists(st.integers(0, 300), max_size=6), st.booleans())
def test_any_cutting_gives_the_same_parts(text: str, cuts: list[int], parallel: bool) -> None:
    whole = parsed([text], parallel=parallel)
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    for pieces in ([text[start:end] for start, end in pairwise(edges)], list(text)):
        assert parsed(pieces, parallel=parallel) == whole


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("tools", [False, True])
def test_the_template_of_gpt_oss_turns_it_on(bench: Bench, streamed: bool, tools: bool) -> None:
    bench.register(bench.service(chat_template=TEMPLATE))
    called = ["<|start|>*", "assistant", "<|channel|>*", "commentary to=functions.f", "<|message|>*", "{}", "<|call|>*"]
    final = ["<|start|>*", "assistant", "<|channel|>*", "final", "<|message|>*", "It", " is.", "<|return|>*"]
    tokens = ["<|channel|>*", "analysis", "<|message|>*", "H", "m.", "<|end|>*", *(called if tools else final)]
    bench.tgi.usual = answer(*tokens)
    merged = {"tools": [F]} if tools else {}
    if streamed:
        choices = [event["choices"][0] for event in bench.events(**merged) if event != "[DONE]"]
        messages, finish = [choice["delta"] for choice in choices], choices[-1]["finish_reason"]
    else:
        choice = bench.post(**merged).json()["choices"][0]
        messages, finish = [choice["message"]], choice["finish_reason"]
    assert "".join(message.get("reasoning_content", "") for message in messages) == "Hm."
    assert "".join(message.get("content") or "" for message in messages) == ("" if tools else "It is.")
    named = [call["function"].get("name") for message in messages for call in message.get("tool_calls", ())]
    assert [name for name in named if name] == (["f"] if tools else [])
    assert finish == ("tool_calls" if tools else "stop")
