"""What models of each family write is read as their makers and other servers read it, for any pieces."""

from __future__ import annotations

import json

import pytest

from gateway_lambda.generation.choice import TextAndCalls
from gateway_lambda.tools.call_parser import CallParser
from gateway_lambda.tools.call_syntax import SYNTAXES, CallSyntax, with_bare_objects
from gateway_lambda.tools.gathered_calls import gather
from gateway_lambda.tools.tool_rule import tool_rule
from tests.gateway.tools.reading import read_answer
from tests.gateway.tools.recorded_calls import FUNCTIONS, ROWS, Calls


def parser(syntax: CallSyntax) -> CallParser:
    return CallParser(syntax, FUNCTIONS, new_id=lambda: "call")


def plain(answer: TextAndCalls) -> tuple[str | None, Calls]:
    return answer.content, [(call.name, json.loads(call.arguments)) for call in answer.calls]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}-{row[1][:40]}")
def test_calls_are_read_as_models_write_them(row: tuple[str, str, str | None, Calls]) -> None:
    name, text, content, made = row
    syntaxes = [SYNTAXES[name], with_bare_objects(name)]
    if name not in ("functools", "xlam"):
        syntaxes.append(SYNTAXES["any"])
    for syntax in syntaxes:
        assert plain(read_answer(text, parser(syntax))) == (content, made)
        for pieces in [*((text[:at], text[at:]) for at in range(1, len(text))), tuple(text)]:
            reading = parser(syntax)
            deltas = [delta for piece in pieces for delta in reading.feed(piece)]
            assert plain(gather([*deltas, *reading.finish()])) == (content, made)


def test_every_syntax_has_a_recorded_call_and_a_text_for_prompts() -> None:
    named = {row[0] for row in ROWS}
    assert named == SYNTAXES.keys() - {"any", "forced"}
    assert all(tool_rule([], name, answers=False) for name in SYNTAXES)


_DEEPSEEK = [
    "*<｜tool▁calls▁begin｜>",
    "*<｜tool▁call▁begin｜>",
    "function",
    "*<｜tool▁sep｜>",
    "add",
    "\n```json\n",
    '{"a": 1}',
]
_KIMI = ["*<|tool_calls_section_begin|>", "*<|tool_call_begin|>", "functions.add:0", "*<|tool_call_argument_begin|>"]
_GLM = ["*<tool_call>", "add", "\n", "*<arg_key>", "a", "*</arg_key>", "\n", "*<arg_value>", "1", "*</arg_value>"]


TOKENS: list[tuple[str, list[str], str | None, Calls | None]] = [
    ("mistral", ["*[TOOL_CALLS]", "add", "*[ARGS]", '{"a"', ": 1}", "*</s>"], None, [("add", {"a": 1})]),
    (
        "mistral",
        [
            "Hi",
            "*[TOOL_CALLS]",
            "add",
            "*[CALL_ID]",
            "abc",
            "*[ARGS]",
            '{"a": 1}',
            "*[TOOL_CALLS]",
            "refresh",
            "{}",
        ],
        "Hi",
        [("add", {"a": 1}), ("refresh", {})],
    ),
    ("mistral", ["*[TOOL_CALLS]", "nobody", "*[ARGS]", "{}"], "nobody{}", []),
    (
        "deepseek",
        [*_DEEPSEEK, "\n```", "*<｜tool▁call▁end｜>", "*<｜tool▁call▁begin｜>", "refresh", "*<｜tool▁sep｜>", "{}"],
        None,
        [("add", {"a": 1}), ("refresh", {})],
    ),
    (
        "kimi",
        [*_KIMI, '{"a": 1}', "*<|tool_call_end|>", "*<|tool_calls_section_end|>", "*<|im_end|>", " So."],
        " So.",
        [("add", {"a": 1})],
    ),
    ("kimi", [*_KIMI, '{"a": ', "*<|tool_call_end|>"], None, None),
    (
        "kimi",
        ["*<|tool_call_begin|>", "functions.add", "*<|tool_call_argument_begin|>", "{}"],
        "functions.add{}",
        [],
    ),
    ("glm", [*_GLM, "\n", "*</tool_call>", "*<|user|>"], None, [("add", {"a": 1})]),
    ("glm", ["*<tool_call>", "refresh", "*</tool_call>"], None, [("refresh", {})]),
    ("glm", ["*<tool_call>", "add", "*<arg_key>", "a", "*</arg_key>"], "adda", []),
    ("pythonic", ["*<|python_start|>", "[add(a", "=1)]", "*<|python_end|>", "Done"], "Done", [("add", {"a": 1})]),
]


@pytest.mark.parametrize(("name", "tokens", "content", "made"), TOKENS)
def test_all_marks_can_be_control_tokens(name: str, tokens: list[str], content: str | None, made: Calls | None) -> None:
    """`*` before a token: a control token. None: the arguments are what the model wrote, which is not JSON."""
    for syntax in (SYNTAXES[name], with_bare_objects(name), SYNTAXES["any"]):
        reading = parser(syntax)
        deltas = [delta for t in tokens for delta in (reading.mark(t[1:]) if t[0] == "*" else reading.feed(t))]
        answer = gather([*deltas, *reading.finish()])
        if made is None:
            assert [(call.name, call.arguments) for call in answer.calls] == [("add", '{"a": ')]
        else:
            assert plain(answer) == (content, made)


def test_only_one_call_is_made_where_only_one_is_wanted() -> None:
    for name, tokens in (
        ("glm", ["*<tool_call>", "refresh", "*</tool_call>", "*<tool_call>", "refresh", "*</tool_call>"]),
        ("pythonic", ["[refresh(), refresh()]"]),
        ("qwen_coder", ["<tool_call><function=refresh></function><function=refresh></function></tool_call>"]),
        ("mistral", ["*[TOOL_CALLS]", "refresh", "*[ARGS]", "{}", "*[TOOL_CALLS]", "refresh{}"]),
    ):
        reading = CallParser(SYNTAXES[name], FUNCTIONS, parallel=False, new_id=lambda: "call")
        deltas = [delta for t in tokens for delta in (reading.mark(t[1:]) if t[0] == "*" else reading.feed(t))]
        assert plain(gather(deltas)) == (None, [("refresh", {})])
        assert reading.done


def test_the_ids_that_a_model_writes_are_the_ids_of_its_calls() -> None:
    for text, id in (
        ("<|tool_call_begin|>functions.add:3<|tool_call_argument_begin|>{}<|tool_call_end|>", "functions.add:3"),
        ("[TOOL_CALLS]add[CALL_ID]a1b2c3d4e[ARGS]{}", "a1b2c3d4e"),
        ("[TOOL_CALLS]add[ARGS]{}", "call"),
    ):
        assert [call.id for call in read_answer(text, parser(SYNTAXES["any"])).calls] == [id]


@pytest.mark.parametrize(
    "text",
    [
        "<function=nobody>{}</function>",
        "<function=add>",
        "<function=add>\n<parameter=a>\n1\n</parameter> and\n</function>",
        "<tool_call>\n<function=add>\n<parameter=a>\n1\n</parameter>\n",
        "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Beijing</arg_value>",
        "<tool_call>get_weather\n<arg_key>city\n<arg_value>value</arg_value>\n</tool_call>",
        "[TOOL_CALLS]add",
        "[TOOL_CALLS]add[ARGS]1",
        "<｜tool▁calls▁begin｜>function<｜tool▁sep｜>add\n```json\n{}\n```<｜tool▁calls▁end｜>",
        "<|tool_call_begin|>functions.add.0<|tool_call_argument_begin|>{}<|tool_call_end|>",
        "[add(1)]",
        "[add(a=1), nobody()]",
        "[add(a=b)]",
        "[add(**{})]",
        "[add(a=1e999)]",
        "[add(a=open('x'))]",
        "[add(a=" + "[" * 40,
        "[add(a=')",
        "[add(a=1)",
        "[1] and [2](link)",
        'functools[{"name": "add", "arguments": "not a dict"}]',
    ],
)
def test_what_is_not_a_call_is_content_as_it_was_written(text: str) -> None:
    for syntax in SYNTAXES.values():
        assert read_answer(text, parser(syntax)) == TextAndCalls(text)
