"""Allowed tools, and tools together with a response format: docs/translation.md#tools."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_lambda.errors import RequestError
from gateway_lambda.tools.answer_or_call import AnswerOrCallParser
from gateway_lambda.tools.gathered_calls import gather
from gateway_lambda.tools.json_object import JSON_OBJECT
from gateway_lambda.tools.request import ToolUse, read_tools
from tests.gateway.tools.test_request import CALL_F, CALL_G, G_FILLED, MODEL, NEW, F, G, grammar_of
from tests.support.requirements import require


def _allowed(mode: object, *names: str, responses: bool = False) -> dict[str, Any]:
    if responses:
        return {"type": "allowed_tools", "mode": mode, "tools": [{"type": "function", "name": name} for name in names]}
    tools = [{"type": "function", "function": {"name": name}} for name in names]
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}


@pytest.mark.parametrize("responses", [False, True])
def test_allowed_tools_are_all_that_the_model_sees(responses: bool) -> None:
    choice = _allowed("auto", "g", responses=responses)
    use = ToolUse(tools=[G_FILLED], syntax="any", names=frozenset("g"))
    assert read_tools({"tools": [F, G], "tool_choice": choice}, MODEL, NEW) == use
    choice = _allowed("required", "g", responses=responses)
    use = ToolUse(tools=[G_FILLED], grammar=grammar_of(CALL_G), syntax="forced", names=frozenset("g"))
    assert read_tools({"tools": [F, G], "tool_choice": choice}, MODEL, NEW) == use


@pytest.mark.parametrize(
    ("choice", "param", "code"),
    [
        (_allowed("none", "f"), "tool_choice.allowed_tools.mode", "invalid_value"),
        (_allowed(None, "f"), "tool_choice.allowed_tools.mode", "invalid_type"),
        (_allowed("auto"), "tool_choice.allowed_tools.tools", "invalid_value"),
        (_allowed("auto", "f", "x"), "tool_choice", "invalid_value"),
        ({"type": "allowed_tools"}, "tool_choice.mode", "invalid_type"),
        ({"type": "allowed_tools", "allowed_tools": []}, "tool_choice.allowed_tools", "invalid_type"),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "custom"}]},
            "tool_choice.tools[0].type",
            "unsupported_value",
        ),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function"}]},
            "tool_choice.tools[0].function.name",
            "invalid_type",
        ),
    ],
)
def test_what_is_wrong_with_allowed_tools_is_named(choice: object, param: str, code: str) -> None:
    with pytest.raises(RequestError) as refused:
        read_tools({"tools": [F], "tool_choice": choice}, MODEL, NEW)
    assert (refused.value.param, refused.value.code) == (param, code)


ANSWER: dict[str, Any] = {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "required": ["a"]}
FORMAT = {"type": "json", "value": {**ANSWER, "$defs": {"A": {"type": "integer"}}}}
CALL = '{"function": {"name": "f", "arguments": {"city": "x"}}}'


def _expression(answer: dict[str, Any]) -> re.Pattern[str]:
    require("outlines-core")
    from outlines_core.fsm.json_schema import build_regex_from_schema

    use = read_tools({"tools": [F, G]}, MODEL, NEW, answer, "response_format")
    assert use == ToolUse(
        tools=[F, G_FILLED], grammar=use.grammar, syntax="forced", names=frozenset(("f", "g")), answers=True
    )
    assert use.grammar is not None
    return re.compile(build_regex_from_schema(json.dumps(use.grammar["value"])))


def test_tools_with_a_format_allow_a_call_or_an_answer_in_the_format() -> None:
    expression = _expression(FORMAT)
    assert expression.fullmatch(CALL)
    assert expression.fullmatch('{"function": {"answer": {"a": 1}}}')
    assert not expression.fullmatch('{"function": {"answer": {"a": "x"}}}')
    assert not expression.fullmatch('{"a": 1}')


def test_tools_with_any_object_allow_a_call_or_an_object() -> None:
    expression = _expression({"type": "regex", "value": JSON_OBJECT})
    assert expression.fullmatch(CALL)
    assert expression.fullmatch('{"function": {"answer": "{"a": [1, {}]}"}}')


def test_forced_tools_with_a_format_make_a_call() -> None:
    use = read_tools({"tools": [F], "tool_choice": "required"}, MODEL, NEW, FORMAT, "response_format")
    assert use == ToolUse(tools=[F], grammar=grammar_of(CALL_F), syntax="forced", names=frozenset("f"))
    assert read_tools({"tools": [F], "tool_choice": "none"}, MODEL, NEW, FORMAT, "response_format") == ToolUse(
        tools=[F]
    )


def test_an_expression_of_the_client_cannot_stand_beside_a_call() -> None:
    with pytest.raises(RequestError) as refused:
        read_tools({"tools": [F]}, MODEL, NEW, {"type": "regex", "value": "[0-9]+"}, "guided_regex")
    assert (refused.value.param, refused.value.code) == ("guided_regex", "unsupported_value")


def _read(text: str, cuts: list[int]) -> tuple[str | None, list[tuple[str, str]]]:
    parser = AnswerOrCallParser({"f": {}})
    places = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    deltas = [delta for start, end in pairwise(places) for delta in parser.feed(text[start:end])]
    found = gather([*deltas, *parser.finish()])
    return found.content, [(call.name, call.arguments) for call in found.calls]


@pytest.mark.parametrize(
    ("text", "content", "calls"),
    [
        (CALL, None, [("f", '{"city": "x"}')]),
        ('{"function": {"answer": {"a": [1, "}"]}}}', '{"a": [1, "}"]}', []),
        ('{ "function" : { "answer" : "{"a": {}}"}}', '{"a": {}}', []),
        ('{"function": {"answer": {"a": "cut he', '{"a": "cut he', []),
        ('{"function": {"ans', '{"function": {"ans', []),
        ('{"function": {"answer": ', '{"function": {"answer": ', []),
        ("Hello there", "Hello there", []),
        ("", "", []),
    ],
)
@given(cuts=st.lists(st.integers(0, 60), max_size=8))
def test_an_answer_or_a_call_is_read_however_it_is_cut(
    text: str, content: str | None, calls: list[tuple[str, str]], cuts: list[int]
) -> None:
    assert _read(text, cuts) == (content, calls)
