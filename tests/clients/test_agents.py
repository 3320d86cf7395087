"""Frameworks for agents, which run the loop of calls and results by themselves: pydantic-ai and LangChain."""

from __future__ import annotations

import json

import pytest

from tests.clients.conftest import Programs
from tests.clients.prompts import BOTH_TURNS, BOTH_TURNS_REWRITTEN, prompt_of, tools_of, with_letters
from tests.clients.replica import answers, fits
from tests.clients.weather import ANSWER, ARGUMENTS, DEGREES, MODELS, PARAMETERS, QUESTION, WEATHER
from tests.gateway.serving import Bench

PLACE = '{"name": "Paris", "mayor": null, "population": 1, "site": "https://paris.example/"}'
CALLS = [[letter, "weather", arguments] for letter, arguments in zip("AB", ARGUMENTS, strict=True)]
RESULTS = list(zip("AB", DEGREES.values(), strict=True))
PARTS = [
    ["user-prompt", None, QUESTION],
    *(["tool-call", letter, [name, arguments]] for letter, name, arguments in CALLS),
    *(["tool-return", letter, degrees] for letter, degrees in RESULTS),
    ["text", None, ANSWER],
]


def test_pydantic_ai_calls_a_tool_and_answers_with_its_results(program: Programs, served: Bench) -> None:
    found = program("pydantic-ai").run(served.url, "tool_loop", "streamed_tool_loop")
    parts = {**dict.fromkeys(MODELS, PARTS), "qwen": [PARTS[0], ["text", None, "I will look.\n"], *PARTS[1:]]}
    assert with_letters(found["tool_loop"]) == parts
    assert with_letters(found["streamed_tool_loop"]) == parts
    asked = served.tgi.generated
    assert [prompt_of(each) for each in asked] == [*BOTH_TURNS_REWRITTEN, *BOTH_TURNS_REWRITTEN]
    strict = {**WEATHER, "parameters": {**PARAMETERS, "additionalProperties": False}, "strict": True}
    assert [tools_of(each) for each in asked] == [[strict]] * 12
    assert [each.path for each in asked] == [*["/generate"] * 6, *["/generate_stream"] * 6]


@pytest.mark.parametrize("dialect", ["responses", "anthropic"])
def test_pydantic_ai_calls_a_tool_in_other_dialects(program: Programs, served: Bench, dialect: str) -> None:
    whole, streamed = f"{dialect}_tool_loop", f"streamed_{dialect}_tool_loop"
    found = program("pydantic-ai").run(served.url, whole, streamed)
    parts = {**dict.fromkeys(MODELS, PARTS), "qwen": [PARTS[0], ["text", None, "I will look.\n"], *PARTS[1:]]}
    assert with_letters(found[whole]) == parts
    assert with_letters(found[streamed]) == parts
    turns = BOTH_TURNS if dialect == "anthropic" else BOTH_TURNS_REWRITTEN
    assert [prompt_of(each) for each in served.tgi.generated] == [*turns, *turns]


def test_openai_agents_calls_a_tool_and_answers_with_its_results(program: Programs, served: Bench) -> None:
    found = program("openai-agents").run(served.url, "tool_loop", "streamed_tool_loop")
    items = {
        model: [
            ["user", QUESTION],
            *([["assistant", "I will look.\n"]] if model == "qwen" else []),
            *(["function_call", letter, json.dumps(arguments)] for letter, _, arguments in CALLS),
            *(["function_call_output", *result] for result in RESULTS),
            ["assistant", ANSWER],
        ]
        for model in MODELS
    }
    assert with_letters(found["tool_loop"]) == items
    assert with_letters(found["streamed_tool_loop"]) == items
    asked = served.tgi.generated
    assert [prompt_of(each) for each in asked] == [*BOTH_TURNS, *BOTH_TURNS]
    assert [each.path for each in asked] == [*["/generate"] * 6, *["/generate_stream"] * 6]


def test_langchain_calls_a_tool_and_answers_with_its_results(program: Programs, served: Bench) -> None:
    found = program("langchain").run(served.url, "tool_loop", "streamed_tool_loop")
    messages = {
        model: [
            ["human", QUESTION, None],
            ["ai", "I will look.\n" if model == "qwen" else "", CALLS],
            *(["tool", degrees, letter] for letter, degrees in RESULTS),
            ["ai", ANSWER, None],
        ]
        for model in MODELS
    }
    assert with_letters(found["tool_loop"]) == messages
    assert with_letters(found["streamed_tool_loop"]) == messages
    asked = served.tgi.generated
    assert [prompt_of(each) for each in asked] == [*BOTH_TURNS, *BOTH_TURNS]
    assert [tools_of(each) for each in asked] == [[WEATHER]] * 12
    assert [each.path for each in asked] == [*["/generate"] * 6, *["/generate_stream"] * 6]


@pytest.mark.parametrize("client", ["pydantic-ai", "langchain"])
def test_a_pydantic_model_is_the_format_of_an_answer(program: Programs, served: Bench, client: str) -> None:
    served.tgi.usual = answers(structured=PLACE)
    place = {"name": "Paris", "mayor": None, "population": 1, "site": "https://paris.example/"}
    assert program(client).run(served.url, "structured") == {"structured": place}
    [asked] = served.tgi.generated
    assert fits(asked, PLACE)
    assert not fits(asked, PLACE.replace("null", "1"))
