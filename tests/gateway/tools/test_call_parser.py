"""Calls are told from content as models of each family write them (docs/translation.md#tools)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import count
from typing import Any

import pytest

from gateway_lambda.generation.choice import TextAndCalls, ToolCall
from gateway_lambda.generation.deltas import CallArguments, CallStart, Content, Delta
from gateway_lambda.openai.messages import assistant_message, stream_delta
from gateway_lambda.tools.call_parser import CallParser
from gateway_lambda.tools.call_syntax import SYNTAXES
from gateway_lambda.tools.gathered_calls import gather
from gateway_lambda.tools.said import new_call_id
from tests.gateway.tools.reading import read_answer

CALL = '<tool_call>{"name": "f", "arguments": {"x": 1}}</tool_call>'
LLAMA = '{"name": "f", "parameters": {"x": 1}}'
LISTED = '[{"name": "f", "arguments": {"x": 1}}, {"name": "g", "arguments": {}}]'

BRACKETS = r'{"x": "}{\"</tool_call><tool_call>\\", "y": {"z": [{}]}}'


def parser(form: str, *, parallel: bool = True) -> CallParser:
    ids = count()
    return CallParser(SYNTAXES[form], {"f": {}, "g": {}}, parallel=parallel, new_id=lambda: f"call_{next(ids)}")


def calls(*made: tuple[str, str]) -> tuple[ToolCall, ...]:
    return tuple(ToolCall(f"call_{index}", name, arguments) for index, (name, arguments) in enumerate(made))


F = ("f", '{"x": 1}')
G = ("g", "{}")


@pytest.mark.parametrize("form", ["hermes", "any"])
@pytest.mark.parametrize(
    ("text", "content", "made"),
    [
        (CALL, None, [F]),
        (f"\n{CALL}\n", None, [F]),
        (f"Let me see.\n{CALL}", "Let me see.\n", [F]),
        (f"{CALL}\n{CALL}", None, [F, F]),
        (f"{CALL} So.\n{CALL} And so.", " So.\n And so.", [F, F]),
        ('<tool_call>\n{"name": "g", "arguments": {}}\n</tool_call>', None, [G]),
        ('<tool_call>{"arguments": {"x": 1}, "name": "f"}</tool_call>', None, [F]),
        ('<tool_call>{"id": "1", "name": "f", "arguments": {"x": 1}, "more": [{}]}</tool_call>', None, [F]),
        ('<tool_call>{"type": "function", "function": {"name": "f", "arguments": {"x": 1}}}</tool_call>', None, [F]),
        ('<tool_call>{"name": "f", "arguments": "{\\"x\\": 1}"}</tool_call>', None, [F]),
        ('<tool_call>{"name": "g"}</tool_call>', None, [G]),
        ('<tool_call>{"name": "g", "arguments": null}</tool_call>', None, [G]),
        (f'<tool_call>{{"name": "f", "arguments": {BRACKETS}}}</tool_call>', None, [("f", BRACKETS)]),
        ('<tool_call>{"name":"f","arguments":{"x":"a\nb"}}</tool_call>', None, [("f", '{"x": "a\\nb"}')]),
        ('<tool_call>{"name":"f","arguments":{"x":"é\\u00e9"}}</tool_call>', None, [("f", '{"x": "éé"}')]),
        # What a model leaves out at the end.
        ('<tool_call>{"name": "f", "arguments": {"x": 1}}', None, [F]),
        ('<tool_call>{"name": "f", "arguments": {"x": 1}}</tool_c', None, [F]),
        ('<tool_call>{"name": "f", "arguments": {"x": 1}</tool_call> So.', " So.", [F]),
        ('<tool_call>{"name": "f", "arguments": {"x": 1}} {"name": "g", "arguments": {}}</tool_call>', None, [F, G]),
    ],
)
def test_calls_in_tags(form: str, text: str, content: str | None, made: list[tuple[str, str]]) -> None:
    assert read_answer(text, parser(form)) == TextAndCalls(content, calls(*made))


@pytest.mark.parametrize("form", ["hermes", "any"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "Hello world",
        " a < b and <tool, <tool_call",
        "<tool_call>",
        "<tool_call>nothing</tool_call>",
        "<tool_call>[1]</tool_call>",
        '<tool_call>{"name": "f"',
        '<tool_call>{"name": "f", "arguments": ',
        '<tool_call>{"name": "f" "arguments": {}}</tool_call>',
        "<tool_call>{'name': 'f', 'arguments': {}}</tool_call>",
        '<tool_call>{"name": "f", "arguments": [1]}</tool_call>',
        '<tool_call>{"name": "f", "arguments": "x"}</tool_call>',
        '<tool_call>{"name": ["f"], "arguments": {}}</tool_call>',
        '<tool_call>{"name": "f", "size": 01, "arguments": {}}</tool_call>',
        '<tool_call>{"name": "\\q", "arguments": {}}</tool_call>',
        '<tool_call>{"name": "not_offered", "arguments": {"x": "<tool_call>"}}</tool_call> so',
        '<tool_call>{"arguments": {}, "name": "not_offered"}</tool_call> so',
        '<tool_call>{"a": ' + "[" * 100 + "</tool_call>",
        '<tool_call>{"a": ' + "1" * 600 + "}</tool_call>",
        '<tool_call>{"arguments": {"x": 1e999}, "name": "f"}</tool_call>',
    ],
)
def test_what_is_no_call_is_given_back_as_it_was_written(form: str, text: str) -> None:
    assert read_answer(text, parser(form)) == TextAndCalls(text)


def test_a_broken_call_does_not_hide_the_next_one() -> None:
    broken = '<tool_call>{"name": }</tool_call>'
    assert read_answer(f"{broken}{CALL}", parser("hermes")) == TextAndCalls(broken, calls(F))
    assert read_answer(f"<tool_call>{CALL}", parser("hermes")) == TextAndCalls("<tool_call>", calls(F))


@pytest.mark.parametrize(
    ("text", "content", "arguments"),
    [
        ('<tool_call>{"name": "f", "arguments": {"x": 1,}}</tool_call> so', " so", '{"x": 1,}}'),
        ('<tool_call>{"name": "f", "arguments": {"x": "Par', None, '{"x": "Par'),
        ('<tool_call>{"name": "f", "arguments": {"x": no </tool', None, '{"x": no </tool'),
    ],
)
def test_arguments_that_are_no_json_are_passed_on_as_they_are(text: str, content: str | None, arguments: str) -> None:
    """As OpenAI does; the name and the opening bracket were sent before that was known."""
    assert read_answer(text, parser("hermes")) == TextAndCalls(content, calls(("f", arguments)))


@pytest.mark.parametrize("form", ["llama3", "any"])
@pytest.mark.parametrize(
    ("text", "content", "made"),
    [
        (LLAMA, None, [F]),
        (f" {LLAMA}\n", None, [F]),
        (f"<|python_tag|>{LLAMA}", None, [F]),
        (f'{LLAMA}; {{"name": "g", "parameters": {{}}}}', None, [F, G]),
        (f'{LLAMA}\n{{"name": "g", "parameters": {{}}}}', None, [F, G]),
        ('{"type": "function", "name": "f", "parameters": {"x": 1}}', None, [F]),
        (f"{LLAMA} is what I would call.", " is what I would call.", [F]),
        (f"I would call {LLAMA}", f"I would call {LLAMA}", []),
        ('{"answer": 42}', '{"answer": 42}', []),
        ('{"name": "f"}', '{"name": "f"}', []),
        ('{"name": "Ada", "parameters": {}}', '{"name": "Ada", "parameters": {}}', []),
        ('{"a": 1} {"name": "f", "parameters": {}}', '{"a": 1} {"name": "f", "parameters": {}}', []),
        ("{" + " " * 80 + '"name": "f", "parameters": {}}', "{" + " " * 80 + '"name": "f", "parameters": {}}', []),
        ("{not json", "{not json", []),
        ("<|python_tag|>print(1)", "<|python_tag|>print(1)", []),
    ],
)
def test_calls_as_the_whole_answer(form: str, text: str, content: str | None, made: list[tuple[str, str]]) -> None:
    assert read_answer(text, parser(form)) == TextAndCalls(content, calls(*made))


@pytest.mark.parametrize("form", ["mistral", "any"])
@pytest.mark.parametrize(
    ("text", "content", "made"),
    [
        (f"[TOOL_CALLS] {LISTED}", None, [F, G]),
        (f"[TOOL_CALLS]{LISTED}</s>", "</s>", [F, G]),
        (f"Well. [TOOL_CALLS] {LISTED}", "Well. ", [F, G]),
        (f" {LISTED}", None, [F, G]),
        ("[1] and [2](link)", "[1] and [2](link)", []),
        ("[TOOL_CALLS] none", "[TOOL_CALLS] none", []),
        ("[TOOL", "[TOOL", []),
        ('[{"title": "a list"}]', '[{"title": "a list"}]', []),
        (f"See {LISTED}", f"See {LISTED}", []),
    ],
)
def test_calls_in_a_list(form: str, text: str, content: str | None, made: list[tuple[str, str]]) -> None:
    assert read_answer(text, parser(form)) == TextAndCalls(content, calls(*made))


@pytest.mark.parametrize(
    ("text", "content", "made"),
    [
        ('{"function": {"name": "f", "arguments": {"x": 1}}}', None, [F]),
        ('{ "function" : { "name" : "g" , "arguments" : {} } }', None, [G]),
        ('{"function": {"name": "g", "parameters": {}}}', None, [G]),
        ('{"function": {"parameters": {"x": 1}, "name": "f"}}', None, [F]),
        ('{"name": "f", "arguments": {"x": 1}}', None, [F]),
        ('{"function": {"name": "f", "arguments": {"x":', None, [("f", '{"x":')]),
        ('{"function": {"na', '{"function": {"na', []),
        (CALL, CALL, []),
    ],
)
def test_calls_that_a_grammar_made(text: str, content: str | None, made: list[tuple[str, str]]) -> None:
    assert read_answer(text, parser("forced")) == TextAndCalls(content, calls(*made))


def _streamed(pieces: Iterable[str], form: str = "any", *, parallel: bool = True) -> list[list[Delta]]:
    reading = parser(form, parallel=parallel)
    return [*(reading.feed(piece) for piece in pieces), reading.finish()]


def test_a_streamed_call_begins_as_soon_as_it_is_one_and_its_arguments_follow_as_they_come() -> None:
    pieces = [
        "Hm. ",
        "<tool",
        "_call>",
        '{"name": "f", ',
        '"arguments": {"x"',
        ': "a',
        'b"}',
        "}",
        "</tool_call>",
        "\n",
    ]
    assert _streamed(pieces) == [
        [Content("Hm. ")],
        [],
        [],
        [],
        [CallStart(0, "call_0", "f"), CallArguments(0, '{"x"')],
        [CallArguments(0, ': "a')],
        [CallArguments(0, 'b"}')],
        [],
        [],
        [],
        [],
    ]


def test_what_may_become_a_call_is_held_back_and_then_given_back() -> None:
    pieces = [" ", "a", " <", "b> ", "[TOOL", "S] ", "x"]
    expected: list[list[Delta]] = [
        [],
        [Content(" a")],
        [Content(" ")],
        [Content("<b> ")],
        [],
        [Content("[TOOLS] ")],
        [Content("x")],
        [],
    ]
    assert _streamed(pieces) == expected


def test_json_that_cannot_be_a_call_is_content_at_its_first_key() -> None:
    assert _streamed(['{"ans', 'wer": ', "42}"]) == [[], [Content('{"answer": ')], [Content("42}")], []]


def test_only_one_call_is_made_where_only_one_is_wanted() -> None:
    reading = parser("any", parallel=False)
    assert gather(reading.feed(f"Hm. {CALL}{CALL} So.")) == TextAndCalls("Hm. ", calls(F))
    assert (reading.done, reading.feed("x"), reading.mark("<tool_call>"), reading.finish()) == (True, [], [], [])


def _tokens(form: str, *tokens: str) -> TextAndCalls:
    """`*` before a token: a control token."""
    reading = parser(form)
    deltas = [delta for t in tokens for delta in (reading.mark(t[1:]) if t[0] == "*" else reading.feed(t))]
    return gather([*deltas, *reading.finish()])


@pytest.mark.parametrize(
    ("form", "tokens", "answer"),
    [
        ("mistral", ["*[TOOL_CALLS]", " ", LISTED, "*</s>"], TextAndCalls(None, calls(F, G))),
        ("mistral", ["Well. ", "*[TOOL_CALLS]", LISTED], TextAndCalls("Well. ", calls(F, G))),
        ("mistral", ["*[TOOL_CALLS]", LISTED, "*[TOOL_CALLS]", LISTED], TextAndCalls(None, calls(F, G, F, G))),
        ("mistral", ["*[TOOL_CALLS]", " none"], TextAndCalls(" none")),
        ("llama3", ["*<|python_tag|>", LLAMA], TextAndCalls(None, calls(F))),
        ("llama3", ["*<|python_tag|>", "print(1)"], TextAndCalls("print(1)")),
        ("hermes", ["*<tool_call>", LLAMA, "*</tool_call>", " So."], TextAndCalls(" So.", calls(F))),
        ("hermes", ["*<tool_call>", '{"name": ', "*</tool_call>", " So."], TextAndCalls('{"name":  So.')),
        ("hermes", ["a <tool", "*<|unknown|>", "_call>b"], TextAndCalls("a <tool_call>b")),
    ],
)
def test_control_tokens_announce_and_close_calls_and_are_never_shown(
    form: str, tokens: list[str], answer: TextAndCalls
) -> None:
    assert _tokens(form, *tokens) == answer


def test_deltas_and_messages_have_the_shape_of_openais() -> None:
    deltas: list[Delta] = [Content("a"), CallStart(0, "call_x", "f"), CallArguments(0, "{}")]
    started: dict[str, Any] = {
        "index": 0,
        "id": "call_x",
        "type": "function",
        "function": {"name": "f", "arguments": ""},
    }
    assert [stream_delta(delta) for delta in deltas] == [
        {"content": "a"},
        {"tool_calls": [started]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]},
    ]
    call = {"id": "call_x", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert assistant_message(gather(deltas[1:])) == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "tool_calls": [call],
    }
    assert assistant_message(gather(deltas[:1])) == {"role": "assistant", "content": "a", "refusal": None}
    assert assistant_message(gather([])) == {"role": "assistant", "content": "", "refusal": None}


def test_call_ids_are_long_and_never_the_same() -> None:
    ids = {new_call_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(id) == 29 and id.startswith("call_") for id in ids)


def test_streamed_arguments_are_json_even_where_the_model_left_line_ends_in_strings() -> None:
    text = '<tool_call>{"name": "f", "arguments": {\n "code": "a\n\tb"}}</tool_call>'
    fragments = [d.text for ds in _streamed(text) for d in ds if isinstance(d, CallArguments)]
    assert json.loads("".join(fragments)) == {"code": "a\n\tb"}
