"""OpenAI's client for Python: the newest, and one of the first of version 1."""

from __future__ import annotations

import pytest

from tests.clients.conftest import Programs
from tests.clients.conversations import CONVERSATIONS, ERRORS
from tests.clients.prompts import BOTH_TURNS, prompt_of, tools_of, with_letters
from tests.clients.replica import answers, fits
from tests.clients.weather import ANSWER, ARGUMENTS, DEGREES, MODELS, QUESTION, WEATHER
from tests.gateway.serving import Bench

VERSIONS = pytest.mark.parametrize("version", ["openai-python", "openai-python-1.3.5"])
PLACE = '{"name": "Paris", "kind": "city", "mayor": null}'


@VERSIONS
def test_chats_streams_completions_models_and_errors(program: Programs, served: Bench, version: str) -> None:
    names = ("chat", "chat_asynchronously", "stream", "completion", "models", "errors")
    assert program(version, of="openai-python").run(served.url, *names) == {
        "chat": ["Hello world", "stop", 7, 12],
        "chat_asynchronously": ["Hel", "lo ", "wor", "ld"],
        "stream": ["Hello world", "stop"],
        "completion": "Hello world",
        "models": ["qwen", "qwen"],
        "errors": ERRORS,
    }


@VERSIONS
def test_a_tool_is_called_and_its_results_are_answered(program: Programs, served: Bench, version: str) -> None:
    found = program(version, of="openai-python").run(served.url, "tool_loop", "streamed_tool_loop")
    assert with_letters(found["tool_loop"]) == CONVERSATIONS
    assert with_letters(found["streamed_tool_loop"]) == CONVERSATIONS
    asked = served.tgi.generated
    assert [prompt_of(each) for each in asked] == [*BOTH_TURNS, *BOTH_TURNS]
    assert [tools_of(each) for each in asked] == [[WEATHER]] * 12
    assert [each.path for each in asked] == [*["/generate"] * 6, *["/generate_stream"] * 6]


def test_pydantic_models_are_the_format_of_an_answer_and_a_tool(program: Programs, served: Bench) -> None:
    served.tgi.usual = answers(structured=PLACE)
    found = program("openai-python").run(served.url, "parse", "parse_tools")
    place = {"name": "Paris", "kind": "city", "mayor": None}
    assert found == {"parse": [place, place], "parse_tools": list(ARGUMENTS)}
    whole, streamed, _ = served.tgi.generated
    assert fits(whole, PLACE)
    assert fits(streamed, PLACE)
    assert not fits(whole, PLACE.replace("null", "1"))


def test_responses_streams_and_errors(program: Programs, served: Bench) -> None:
    text = [f"response.{name}" for name in ("output_item.added", "content_part.added", *["output_text.delta"] * 4)]
    text += [f"response.{name}" for name in ("output_text.done", "content_part.done", "output_item.done")]
    types = ["response.created", "response.in_progress", *text, "response.completed"]
    assert program("openai-python").run(served.url, "response", "response_stream", "response_errors") == {
        "response": ["Hello world", "completed", 7, 12, {"a": "b"}],
        "response_stream": [types, "Hello world"],
        "response_errors": ERRORS,
    }


def test_responses_call_a_tool_and_answer_with_its_results(program: Programs, served: Bench) -> None:
    found = program("openai-python").run(served.url, "response_tool_loop", "streamed_response_tool_loop")
    items = {
        model: [
            QUESTION,
            *(["I will look.\n"] if model == "qwen" else []),
            *([letter, "weather", arguments] for letter, arguments in zip("AB", ARGUMENTS, strict=True)),
            *([letter, degrees] for letter, degrees in zip("AB", DEGREES.values(), strict=True)),
            ANSWER,
        ]
        for model in MODELS
    }
    assert with_letters(found["response_tool_loop"]) == items
    assert with_letters(found["streamed_response_tool_loop"]) == items
    asked = served.tgi.generated
    assert [prompt_of(each) for each in asked] == [*BOTH_TURNS, *BOTH_TURNS]
    assert [tools_of(each) for each in asked] == [[{**WEATHER, "strict": False}]] * 12


def test_pydantic_models_are_the_text_format_of_a_response(program: Programs, served: Bench) -> None:
    served.tgi.usual = answers(structured=PLACE)
    place = {"name": "Paris", "kind": "city", "mayor": None}
    assert program("openai-python").run(served.url, "response_parse") == {"response_parse": [place, place]}
    whole, streamed = served.tgi.generated
    assert fits(whole, PLACE)
    assert fits(streamed, PLACE)
