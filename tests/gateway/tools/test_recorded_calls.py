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
