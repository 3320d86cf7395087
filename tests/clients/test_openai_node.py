"""OpenAI's client for Node.js."""

from __future__ import annotations

from typing import Any

from tests.clients.conftest import Programs
from tests.clients.conversations import CONVERSATIONS, ERRORS
from tests.clients.prompts import BOTH_TURNS, prompt_of, tools_of, with_letters
from tests.clients.replica import answers, fits
from tests.clients.weather import ARGUMENTS, WEATHER
from tests.gateway.serving import Bench

PLACE = '{"name": "Paris", "kind": "city", "mayor": null, "population": 1, "site": "https://paris.example"}'


EMPTY = ("refusal", "parsed", "parsed_arguments")
"""Fields that the client adds, without a value."""


def plain(value: Any) -> Any:
    """Return messages without the fields that have no value."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items() if key not in EMPTY or each is not None}
    return value


def test_chats_streams_completions_models_and_errors(program: Programs, served: Bench) -> None:
    names = ("chat", "stream", "completion", "models", "errors")
    assert program("openai-node").run(served.url, *names) == {
        "chat": ["Hello world", "stop", 7, 12],
        "stream": ["Hello world", "stop"],
        "completion": "Hello world",
        "models": ["qwen", "qwen"],
        "errors": ERRORS,
    }


def test_a_tool_is_called_and_its_results_are_answered(program: Programs, served: Bench) -> None:
    found = program("openai-node").run(served.url, "tool_loop", "run_tools", "streamed_run_tools")
    assert with_letters(plain(found["tool_loop"])) == CONVERSATIONS
    assert with_letters(plain(found["run_tools"])) == CONVERSATIONS
    for messages in (found["streamed_run_tools"]["mistral"], found["streamed_run_tools"]["deepseek"]):
        assert messages[1]["content"] == ""
        messages[1]["content"] = None
    assert with_letters(plain(found["streamed_run_tools"])) == CONVERSATIONS
    asked = served.tgi.generated
    assert [prompt_of(each) for each in asked] == [*BOTH_TURNS, *BOTH_TURNS, *BOTH_TURNS]
    assert [tools_of(each) for each in asked] == [[WEATHER]] * 18
    assert [each.path for each in asked] == [*["/generate"] * 12, *["/generate_stream"] * 6]


def test_zod_schemas_are_the_format_of_an_answer_and_a_tool(program: Programs, served: Bench) -> None:
    served.tgi.usual = answers(structured=PLACE)
    found = program("openai-node").run(served.url, "parse", "parse_tools")
    place = {"name": "Paris", "kind": "city", "mayor": None, "population": 1, "site": "https://paris.example"}
    assert found == {"parse": [place, place], "parse_tools": list(ARGUMENTS)}
    whole, streamed, _ = served.tgi.generated
    assert fits(whole, PLACE)
    assert fits(streamed, PLACE)
    assert not fits(whole, PLACE.replace("null", "1"))
