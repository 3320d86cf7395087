"""OpenAI's client for Python: the newest, and one of the first of version 1."""

from __future__ import annotations

import pytest

from tests.clients.conftest import Programs
from tests.clients.conversations import CONVERSATIONS, ERRORS
from tests.clients.prompts import BOTH_TURNS, prompt_of, tools_of, with_letters
from tests.clients.replica import answers, fits
from tests.clients.weather import ARGUMENTS, WEATHER
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
