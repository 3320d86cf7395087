"""Vercel's AI SDK."""

from __future__ import annotations

import pytest

from tests.clients.conftest import Programs
from tests.clients.prompts import BOTH_TURNS, BOTH_TURNS_REWRITTEN, prompt_of, tools_of, with_letters
from tests.clients.replica import answers, fits
from tests.clients.weather import ANSWER, ARGUMENTS, DEGREES, MODELS, PARAMETERS, WEATHER
from tests.gateway.serving import Bench

PLACE = '{"name": "Paris", "mayor": null, "population": "two million", "site": "https://paris.example"}'
OUTCOME = {
    "text": ANSWER,
    "calls": [[letter, "weather", arguments] for letter, arguments in zip("AB", ARGUMENTS, strict=True)],
    "results": [[letter, degrees] for letter, degrees in zip("AB", DEGREES.values(), strict=True)],
    "ends": ["tool-calls", "stop"],
}
ZOD = {"$schema": "http://json-schema.org/draft-07/schema#", "additionalProperties": False}
"""What zod adds to a schema."""


def test_streams_and_errors(program: Programs, served: Bench) -> None:
    assert program("ai-sdk").run(served.url, "stream", "errors") == {
        "stream": ["Hel", "lo ", "wor", "ld"],
        "errors": {
            "unknown": [404, False, "model_not_found"],
            "closed": [401, False, "invalid_api_key"],
            "too-long": [400, False, "context_length_exceeded"],
            "overloaded": [429, True, "model_overloaded"],
            "failing": [500, True, "generation_failed"],
            "gone": [502, True, "upstream_unreachable"],
        },
    }


def test_a_tool_is_called_and_its_results_are_answered(program: Programs, served: Bench) -> None:
    found = program("ai-sdk").run(served.url, "tool_loop", "streamed_tool_loop")
    assert with_letters(found["tool_loop"]) == dict.fromkeys(MODELS, OUTCOME)
    assert with_letters(found["streamed_tool_loop"]) == dict.fromkeys(MODELS, OUTCOME)
    asked = served.tgi.generated
    assert [prompt_of(each) for each in asked] == [*BOTH_TURNS_REWRITTEN, *BOTH_TURNS_REWRITTEN]
    assert [tools_of(each) for each in asked] == [[{**WEATHER, "parameters": {**PARAMETERS, **ZOD}}]] * 12
    assert [each.path for each in asked] == [*["/generate"] * 6, *["/generate_stream"] * 6]


def test_objects_with_nullable_fields_unions_and_urls(program: Programs, served: Bench) -> None:
    served.tgi.usual = answers(structured=PLACE)
    place = {"name": "Paris", "mayor": None, "population": "two million", "site": "https://paris.example"}
    assert program("ai-sdk").run(served.url, "objects") == {"objects": [place, place]}
    older, newer = served.tgi.generated
    assert fits(older, PLACE)
    assert fits(newer, PLACE)
    assert not fits(older, PLACE.replace("null", "1"))


@pytest.mark.parametrize("dialect", ["responses", "anthropic"])
def test_a_tool_is_called_in_other_dialects(program: Programs, served: Bench, dialect: str) -> None:
    """The provider of OpenAI uses the Responses API. Reasoning models of its list alone have other rules."""
    whole, streamed = f"{dialect}_tool_loop", f"streamed_{dialect}_tool_loop"
    found = program("ai-sdk").run(served.url, whole, streamed)
    assert with_letters(found[whole]) == dict.fromkeys(MODELS, OUTCOME)
    assert with_letters(found[streamed]) == dict.fromkeys(MODELS, OUTCOME)
    asked = served.tgi.generated
    turns = BOTH_TURNS if dialect == "anthropic" else BOTH_TURNS_REWRITTEN
    assert [prompt_of(each) for each in asked] == [*turns, *turns]
    assert [each.path for each in asked] == [*["/generate"] * 6, *["/generate_stream"] * 6]


def test_a_reference_to_an_item_is_refused(program: Programs, served: Bench) -> None:
    assert program("ai-sdk").run(served.url, "reference") == {"reference": [400, "unsupported_value", "input[1]"]}


def test_objects_in_other_dialects(program: Programs, served: Bench) -> None:
    served.tgi.usual = answers(structured=PLACE)
    place = {"name": "Paris", "mayor": None, "population": "two million", "site": "https://paris.example"}
    assert program("ai-sdk").run(served.url, "dialect_objects") == {"dialect_objects": [place, place]}
