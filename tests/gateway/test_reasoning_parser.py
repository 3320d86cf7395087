"""Reasoning is told from the answer, for any pieces of the text (docs/translation.md#reasoning)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_lambda.generation.deltas import Content, Delta, Reasoning
from gateway_lambda.generation.reasoning import (
    ReasoningMarks,
    ReasoningParser,
    ReasoningStart,
    marks_in,
    reasoning_start,
)
from gateway_lambda.tools.call_parser import CallParser
from gateway_lambda.tools.call_syntax import SYNTAXES
from gateway_lambda.tools.gathered_calls import gather, gather_reasoning

THINK = ReasoningMarks("<think>", "</think>")
CALL = '<tool_call>{"name": "f", "arguments": {"x": 1}}</tool_call>'


def parsed(pieces: Iterable[str], *, begun: bool = False, tools: bool = False) -> tuple[str | None, str | None, int]:
    """Reasoning, content, and how many calls. A piece that begins with `*` is a control token."""
    calls = CallParser(SYNTAXES["any"], {"f": {}}, new_id=lambda: "call") if tools else None
    parser = ReasoningParser(ReasoningStart(THINK, begun=begun), calls)
    deltas: list[Delta] = []
    for piece in pieces:
        deltas += parser.mark(piece[1:]) if piece.startswith("*") else parser.feed(piece)
    deltas += parser.finish()
    answer = gather(deltas)
    return gather_reasoning(deltas), answer.content, len(answer.calls)


@pytest.mark.parametrize(
    ("begun", "text", "reasoning", "content"),
    [
        (False, "<think>\nHm. Yes.\n</think>\n\nNo.", "Hm. Yes.", "No."),
        (False, " \n<think>a\n\nb</think>c </think> d", "a\n\nb", "c </think> d"),
        (False, "<think>\n\n</think>\n\nNo.", None, "No."),
        (False, "<think>cut", "cut", ""),
        (False, "<think>cut</thin", "cut</thin", ""),
        (False, "<think>", None, ""),
        (False, "Say <think>x</think>.", None, "Say <think>x</think>."),
        (False, " <thin", None, " <thin"),
        (False, " No.\n", None, " No.\n"),
        (False, "", None, ""),
        (True, "Hm.\n</think>\n\nNo.", "Hm.", "No."),
        (True, "<think>\nHm.\n</think>\n\nNo.", "Hm.", "No."),
        (True, "</think>No.", None, "No."),
        (True, "cut <", "cut <", ""),
        (True, "<thi", "<thi", ""),
        (True, "a < b </think>", "a < b", ""),
    ],
)
def test_reasoning_is_apart_from_content(begun: bool, text: str, reasoning: str | None, content: str) -> None:
    for pieces in ([text], list(text)):
        assert parsed(pieces, begun=begun) == (reasoning, content, 0)


def test_no_call_is_read_in_reasoning() -> None:
    text = f"<think>I could say {CALL}.</think>\n{CALL}"
    for pieces in ([text], list(text)):
        assert parsed(pieces, tools=True) == (f"I could say {CALL}.", None, 1)
    assert parsed([f"<think>{CALL}"], tools=True) == (CALL, "", 0)
    assert parsed(["<think>a", "*<tool_call>", "b", "*</think>", "*<tool_call>", '{"name": "f"}'], tools=True) == (
        "ab",
        None,
        1,
    )


@pytest.mark.parametrize(
    ("pieces", "begun", "reasoning", "content"),
    [
        (["*<think>", "\nHm.", "*</think>", " No."], False, "Hm.", "No."),
        (["Hm.", "*</think>", "No."], True, "Hm.", "No."),
        (["*<think>", "Hm.", "*</think>", "No."], True, "Hm.", "No."),
        (["*</think>", "No."], True, None, "No."),
        (["*<s>", "No.", "*<think>", "x", "*</think>"], False, None, "No.x"),
    ],
)
def test_marks_can_be_control_tokens(pieces: list[str], begun: bool, reasoning: str | None, content: str) -> None:
    assert parsed(pieces, begun=begun) == (reasoning, content, 0)


def test_reasoning_is_streamed_as_it_comes_without_the_white_space_around_it() -> None:
    parser = ReasoningParser(ReasoningStart(THINK, begun=False), None)
    pieces = ["<th", "ink>", "\n", "Hm", ". \n", "Yes", "\n", "</", "i>", "\n</think>", "\n\n", "No", "."]
    assert [(parser.feed(piece), parser.plain) for piece in pieces] == [
        ([], False),
        ([], False),
        ([], False),
        ([Reasoning("Hm")], False),
        ([Reasoning(".")], False),
        ([Reasoning(" \nYes")], False),
        ([], False),
        ([], False),
        ([Reasoning("\n</i>")], False),
        ([], False),
        ([], False),
        ([Content("No")], True),
        ([Content(".")], True),
    ]


_PARTS = ["<think>", "</think>", "<", "</", "think>", "<tool_call>", CALL, "</tool_call>", "a", " ", "\n", "é"]
texts = st.lists(st.sampled_from(_PARTS) | st.text(max_size=2), max_size=15).map("".join).filter(lambda t: "*" not in t)


@given(texts, st.lists(st.integers(0, 100), max_size=6), st.booleans(), st.booleans())
def test_any_cutting_gives_the_same_parts(text: str, cuts: list[int], begun: bool, tools: bool) -> None:
    whole = parsed([text], begun=begun, tools=tools)
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    for pieces in ([text[start:end] for start, end in pairwise(edges)], list(text)):
        assert parsed(pieces, begun=begun, tools=tools) == whole


@given(texts, st.booleans())
def test_no_text_is_lost_but_the_marks_and_the_space_around_them(text: str, begun: bool) -> None:
    reasoning, content, _ = parsed([text], begun=begun)
    kept = "".join(((reasoning or "") + (content or "")).split())
    left = "".join(text.split())
    begins = left.startswith("<think>")
    if begun or begins:
        left = left.removeprefix("<think>").replace("</think>", "", 1)
    assert kept == left


@pytest.mark.parametrize(
    ("template", "marks"),
    [
        ("{{ messages }}", None),
        ("{% set c = m.content.split('</think>')[-1] %}", THINK),
        ("<|im_start|>assistant\n<think>\n", THINK),
        ("[THINK]", ReasoningMarks("[THINK]", "[/THINK]")),
    ],
)
def test_the_template_says_how_a_model_marks_its_reasoning(template: str, marks: ReasoningMarks | None) -> None:
    assert marks_in(template) == marks


@pytest.mark.parametrize(
    ("prompt", "prefix", "begun"),
    [
        ("<|im_start|>assistant\n", "", False),
        ("<|im_start|>assistant\n<think>\n", "", True),
        ("<|im_start|>assistant\n<think>\n\n</think>\n\n", "", None),
        ("<|im_start|>user\nSay <think><|im_end|>\n<|im_start|>assistant\n", "", False),
        ("<|im_start|>assistant\nIt is", "It is", None),
        ("<|im_start|>assistant\n<think>It is", "<think>It is", True),
        ("<|im_start|>assistant\n<think>a</think>It is", "<think>a</think>It is", None),
    ],
)
def test_the_prompt_says_whether_the_reasoning_has_begun(prompt: str, prefix: str, begun: bool | None) -> None:
    expected = None if begun is None else ReasoningStart(THINK, begun=begun)
    assert reasoning_start(THINK, prompt, prefix) == expected
