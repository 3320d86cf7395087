"""Anthropic's client for Python."""

from __future__ import annotations

import json

from tests.clients.conftest import Programs
from tests.clients.conversations import CONVERSATIONS
from tests.clients.prompts import BOTH_TURNS, prompt_of, tools_of, with_letters
from tests.clients.replica import answers
from tests.clients.weather import ARGUMENTS, WEATHER
from tests.gateway.serving import Bench


def _in_blocks(messages: list[dict[str, object]]) -> list[dict[str, object]]:
    """A conversation in Anthropic's form."""
    question, calling, *results, answer = messages
    said = calling["content"]
    calls = [
        {"type": "tool_use", "id": letter, "name": "weather", "input": arguments}
        for letter, arguments in zip("AB", ARGUMENTS, strict=True)
    ]
    outcomes = [
        {"type": "tool_result", "tool_use_id": result["tool_call_id"], "content": result["content"]}
        for result in results
    ]
    return [
        question,
        {"role": "assistant", "content": [*([{"type": "text", "text": said}] if said else []), *calls]},
        {"role": "user", "content": outcomes},
        {"role": "assistant", "content": [{"type": "text", "text": answer["content"]}]},
    ]


def test_messages_streams_ends_counts_and_errors(program: Programs, served: Bench) -> None:
    names = ("message", "stream", "ends", "counted", "errors")
    assert program("anthropic-python").run(served.url, *names) == {
        "message": ["Hello world", "end_turn", 7, 5],
        "stream": [["Hel", "lo ", "wor", "ld"], "end_turn", 7, 5],
        "ends": [
            *[["Hello ", "max_tokens", None]] * 2,
            *[["Hello ", "stop_sequence", "wor"]] * 2,
        ],
        "counted": 2,
        "errors": {
            "unknown": ["NotFoundError", 404, "not_found_error"],
            "closed": ["AuthenticationError", 401, "authentication_error"],
            "too-long": ["BadRequestError", 400, "invalid_request_error"],
            "overloaded": ["RateLimitError", 429, "rate_limit_error"],
            "failing": ["InternalServerError", 500, "api_error"],
            "gone": ["InternalServerError", 502, "api_error"],
        },
    }


def test_a_tool_is_called_and_its_results_are_answered(program: Programs, served: Bench) -> None:
    found = program("anthropic-python").run(served.url, "tool_loop", "streamed_tool_loop")
    conversations = {model: _in_blocks(messages) for model, messages in CONVERSATIONS.items()}
    assert with_letters(found["tool_loop"]) == conversations
    assert with_letters(found["streamed_tool_loop"]) == conversations
    asked = served.tgi.generated
    assert [prompt_of(each) for each in asked] == [*BOTH_TURNS, *BOTH_TURNS]
    assert [tools_of(each) for each in asked] == [[WEATHER]] * 12
    assert [each.path for each in asked] == [*["/generate"] * 6, *["/generate_stream"] * 6]


def test_a_call_that_is_forced(program: Programs, served: Bench) -> None:
    served.tgi.usual = answers(json.dumps({"function": {"name": "weather", "arguments": ARGUMENTS[0]}}))
    assert program("anthropic-python").run(served.url, "forced") == {"forced": [["weather", ARGUMENTS[0]], "tool_use"]}
