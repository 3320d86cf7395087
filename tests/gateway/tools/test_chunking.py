"""However a text is cut into pieces, it gives the same content and the same calls, and nothing of it is lost."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_lambda.generation.choice import TextAndCalls
from gateway_lambda.tools.call_parser import CallParser
from gateway_lambda.tools.call_syntax import SYNTAXES, with_bare_objects
from gateway_lambda.tools.gathered_calls import gather
from tests.gateway.tools.reading import read_answer
from tests.gateway.tools.recorded_calls import FUNCTIONS, ROWS, Row

_PARTS = [
    *("<tool_call>", "</tool_call>", "[TOOL_CALLS]", "<|python_tag|>", "<tool", "_call>", "</tool_", "[TOOL", "<", "["),
    *('{"name": "f", "arguments": {"x": 1}}', '{"name":"g","parameters":{}}', '{"name": "nope", "arguments": {}}'),
    *('{"function": {"name": "f", "arguments": {', '{"arguments": {"a": [1, {}]}, "name": "f"}', '{"name": "f"}'),
    *('{"x": 1, "name": "f", "arguments": {}}', '{"x": 0, "name": "f", "arguments": "{}"}', '{"\\ud800": "\\ud800"}'),
    *('{"name": "f", "arguments": "{}"}', '{"name"', '"arguments": ', '"f"', '{"answer": 1}', '{"id": "<tool_call>"}'),
    *("[TOOL_CALLS]f", "f", "[ARGS]", "[CALL_ID]", "<function=f>", "<function=", "</function>", "<parameter=x>", "1"),
    *(
        "</parameter>",
        "<｜tool▁calls▁begin｜>",
        "<｜tool▁call▁begin｜>",
        "function<｜tool▁sep｜>f",
        "f<｜tool▁sep｜>",
        "```json",
    ),
    *("```", "<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>", "<tool_call>f", "<arg_key>", "</arg_key>", "<arg_value>"),
    *("</arg_value>", "<|tool_calls_section_begin|>", "<|tool_call_begin|>", "functions.f:0", "functions.", ":0"),
    *(
        "<|tool_call_argument_begin|>",
        "<|tool_call_end|>",
        "<|tool_calls_section_end|>",
        "[f(",
        "x='",
        "'",
        ")",
        "f()]",
    ),
    *("<|python_start|>", "<|python_end|>", "<|tool_call_start|>", '<minimax:tool_call><invoke name="f">', "</invoke>"),
    *(
        '<parameter name="x">',
        "</minimax:tool_call>",
        '<｜DSML｜tool_calls><｜DSML｜invoke name="f">',
        "</｜DSML｜invoke>",
    ),
    *("functools", "<|tool_call|>", "<tool_calls>", "<TOOLCALL>", "<seed:tool_call>", '\n{"name": "f", "arguments": {'),
    *("{", "}", "]", ",", ";", ":", '"', "\\", "\\u00", "1", "1e", "true", "tru", "null", " ", "\n", "\t", "a", "é"),
]
texts = st.lists(st.sampled_from(_PARTS) | st.text(max_size=3), max_size=25).map("".join)
FORMS = {**SYNTAXES, **{f"{name}, bare": with_bare_objects(name) for name in SYNTAXES}}
forms = st.sampled_from(sorted(FORMS))


def _parser(form: str, *, parallel: bool = True) -> CallParser:
    return CallParser(FORMS[form], {"f": {}, "g": {}}, parallel=parallel, new_id=lambda: "call")


@given(texts, forms, st.lists(st.integers(0, 200), max_size=8), st.booleans())
def test_any_cutting_gives_the_same_answer(text: str, form: str, cuts: list[int], parallel: bool) -> None:
    whole = read_answer(text, _parser(form, parallel=parallel))
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[start:end] for start, end in pairwise(edges)]
    for cutting in (pieces, list(text)):
        reading = _parser(form, parallel=parallel)
        deltas = [delta for piece in cutting for delta in reading.feed(piece)]
        assert gather([*deltas, *reading.finish()]) == whole


@pytest.mark.parametrize(
    "text",
    [
        '{"x": 1, "name": "f", "parameters": {}}',
        '{"x": 1, "name": "f", "arguments": "{}"}',
        '{ "name" : "f" , "arguments" : {"a": [1, "\\ud800"]} } x',
        '{"id": "call_1", "function": {"name": "f", "arguments": "{\\"a\\": 1}"}}',
        '<tool_call>{"name": "f", "arguments": {}}</tool_call>{"name": "g", "arguments": {}}',
        '[TOOL_CALLS] [{"name": "f", "arguments": {}}, {"arguments": {"a": 1}, "name": "g"}]',
        '<|python_tag|>{"name": "f", "parameters": {"a": 1}}; {"name": "f", "parameters": {"b": tru}}',
        '{"name": "nobody", "arguments": {"a": {}}} {"name": "f", "arguments": {}}',
    ],
)
@pytest.mark.parametrize("form", sorted(SYNTAXES))
def test_every_cut_gives_the_same_answer(form: str, text: str) -> None:
    whole = read_answer(text, _parser(form))
    for cutting in [*((text[:at], text[at:]) for at in range(1, len(text))), tuple(text)]:
        reading = _parser(form)
        deltas = [delta for piece in cutting for delta in reading.feed(piece)]
        assert gather([*deltas, *reading.finish()]) == whole


@given(texts, forms)
def test_text_without_calls_comes_back_whole(text: str, form: str) -> None:
    answer = read_answer(text, _parser(form))
    assert answer.calls or answer == TextAndCalls(text)


@given(texts, forms)
def test_content_is_never_invented(text: str, form: str) -> None:
    """It is the text with calls taken out: every character in its order."""
    left = iter(text)
    assert all(char in left for char in read_answer(text, _parser(form)).content or "")


@given(st.sampled_from(ROWS), st.sampled_from(ROWS), forms, st.data())
def test_recorded_calls_that_are_cut_off_or_mixed_lose_no_text(
    first: Row, second: Row, form: str, data: st.DataObject
) -> None:
    """Each character is content, part of a call, or what a call is made of; and any cutting gives the same."""
    text = first[1][: data.draw(st.integers(0, len(first[1])))] + second[1]
    whole = read_answer(text, _recorded(form))
    cut = data.draw(st.integers(0, len(text)))
    for pieces in ((text[:cut], text[cut:]), tuple(text)):
        reading = _recorded(form)
        deltas = [delta for piece in pieces for delta in reading.feed(piece)]
        assert gather([*deltas, *reading.finish()]) == whole
    left = iter(text)
    assert all(char in left for char in whole.content or "")
    assert whole.calls or whole == TextAndCalls(text)


def _recorded(form: str) -> CallParser:
    return CallParser(FORMS[form], FUNCTIONS, new_id=lambda: "call")


@pytest.mark.parametrize(
    "part",
    [
        '{"a":[{}]},',
        '<tool_call>{"',
        '<tool_call>{"a":[',
        "<tool_call>",
        "[TOOL_CALLS]",
        '{"arguments":{},',
        " ",
        '<tool_call>{"name":"f","arguments":{"x":{}',
        "<function=f>",
        "<tool_call>f\n",
        "[f(",
        "\n[f(x='",
        "[TOOL_CALLS]f",
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f",
        '<minimax:tool_call><invoke name="f">',
        '\n{"name": ',
    ],
)
@pytest.mark.parametrize("begin", ["", "x", '<tool_call>{"arguments": {"a": ['])
def test_the_cost_grows_with_the_text_and_not_with_its_square(begin: str, part: str) -> None:
    """100 000 characters, one at a time; a parser that looked back would need minutes."""
    text = begin + part * (100_000 // len(part))
    started = time.process_time()
    reading = _parser("any")
    for piece in text:
        reading.feed(piece)
    reading.finish()
    read_answer(text, _parser("any"))
    assert time.process_time() - started < 5
