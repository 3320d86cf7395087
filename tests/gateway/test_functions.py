"""OpenAI's deprecated `functions` and `function_call`: read as tools, answered as older clients expect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.gateway.scripted_tgi import answer
from tests.gateway.serving import Bench

WEATHER: dict[str, Any] = {
    "name": "weather",
    "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
TOOL = {"type": "function", "function": WEATHER}
CALL = ['{"name": "weather", ', '"arguments": {"city": ', '"Oslo"}}', "</s>*"]
FORCED = ['{"function": {"name": "weather", "arguments": ', '{"city": "Oslo"}}}', "</s>*"]
SHOWS_ALL = (
    "{% if tools %}{{ tools | tojson }}{% endif %}{% for m in messages %}[{{ m.role }}|{{ m.name }}|{{ m.content }}|"
    "{{ m.tool_call_id }}|{{ (m.tool_calls or []) | tojson }}]{% endfor %}"
)
ASK = [{"role": "user", "content": "How is it in Oslo?"}]


def refused(bench: Bench, **merged: Any) -> tuple[int, Any, str]:
    response = bench.post({"model": "m", "messages": ASK, **merged})
    error = response.json()["error"]
    return response.status_code, error["param"], error["message"]


def test_functions_reach_the_template_as_tools_and_the_answer_has_a_function_call(bench: Bench) -> None:
    bench.register(bench.service(chat_template=SHOWS_ALL))
    bench.tgi.usual = answer(*CALL)
    found = bench.post({"model": "m", "messages": ASK, "functions": [WEATHER], "function_call": "auto"}).json()
    assert found["choices"] == [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": None,
                "refusal": None,
                "function_call": {"name": "weather", "arguments": '{"city": "Oslo"}'},
            },
            "logprobs": None,
            "finish_reason": "function_call",
        }
    ]
    assert bench.tgi.generated[0].json["inputs"].startswith(json.dumps([TOOL]))


def test_a_streamed_function_call_comes_in_pieces_that_older_clients_join(bench: Bench) -> None:
    bench.tgi.usual = answer(*CALL)
    with bench.client() as client:
        create: Any = client.chat.completions.create
        stream = create(model="m", messages=ASK, functions=[WEATHER], stream=True)
        choices: list[Any] = [chunk.choices[0] for chunk in stream]
    pieces = [choice.delta.function_call for choice in choices if choice.delta.function_call]
    assert [piece.name for piece in pieces] == ["weather"] + [None] * (len(pieces) - 1)
    assert "".join(piece.arguments for piece in pieces) == '{"city": "Oslo"}'
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["function_call"]
    assert not [choice for choice in choices if choice.delta.tool_calls]


def test_a_named_function_is_forced_by_a_grammar(bench: Bench) -> None:
    bench.tgi.usual = answer(*FORCED)
    sent = {"functions": [WEATHER, {"name": "other"}], "function_call": {"name": "weather"}}
    found = bench.post({"model": "m", "messages": ASK, **sent}).json()["choices"][0]
    assert found["message"]["function_call"] == {"name": "weather", "arguments": '{"city": "Oslo"}'}
    grammar = bench.tgi.generated[0].parameters["grammar"]
    assert (grammar["type"], "weather" in json.dumps(grammar), "other" in json.dumps(grammar)) == ("json", True, False)


def test_none_shows_the_functions_and_calls_nothing(bench: Bench) -> None:
    bench.register(bench.service(chat_template=SHOWS_ALL))
    bench.tgi.usual = answer(*CALL)
    found = bench.post({"model": "m", "messages": ASK, "functions": [WEATHER], "function_call": "none"}).json()
    assert found["choices"][0]["message"]["content"] == '{"name": "weather", "arguments": {"city": "Oslo"}}'
    assert found["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("functions", [[WEATHER], None])
def test_the_second_turn_reaches_the_template_as_a_call_and_its_result(bench: Bench, functions: Any) -> None:
    bench.register(bench.service(chat_template=SHOWS_ALL))
    messages = [
        *ASK,
        {"role": "assistant", "content": None, "function_call": {"name": "weather", "arguments": '{"city": "Oslo"}'}},
        {"role": "function", "name": "weather", "content": "rain"},
    ]
    response = bench.post({"model": "m", "messages": messages, "functions": functions})
    assert response.json()["choices"][0]["message"]["content"] == "Hello world"
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": {"city": "Oslo"}}}
    tools = json.dumps([TOOL]) if functions else ""
    assert bench.tgi.generated[0].json["inputs"] == (
        f"{tools}[user||How is it in Oslo?||[]][assistant||||{json.dumps([call])}][tool|weather|rain|call_1|[]]"
    )


@pytest.mark.parametrize(
    ("merged", "param", "message"),
    [
        (
            {"functions": [{"name": "a b"}]},
            "functions[0].name",
            "functions[0].name: found the string 'a b'; use 1 to 64 of the characters a-z, A-Z, 0-9, _ and -",
        ),
        ({"functions": ["f"]}, "functions[0]", "functions[0]: found the string 'f'; use an object"),
        ({"functions": {"name": "f"}}, "functions", "functions: found an object; use a list"),
        (
            {"functions": [WEATHER], "function_call": {"name": "other"}},
            "function_call.name",
            "function_call.name: found the string 'other'; use the name of one of the functions",
        ),
        (
            {"functions": [WEATHER], "function_call": "required"},
            "function_call",
            "function_call: found the string 'required'; use 'none', 'auto' or {\"name\": …}",
        ),
        (
            {"functions": [WEATHER], "tools": [TOOL]},
            "functions",
            "functions and tools exclude each other; use only tools and tool_choice, the newer form",
        ),
        (
            {"messages": [*ASK, {"role": "function", "content": "rain"}]},
            "messages[1].name",
            "messages[1].name must be a string",
        ),
        (
            {"messages": [*ASK, {"role": "assistant", "function_call": "weather"}]},
            "messages[1].function_call",
            "messages[1].function_call must be an object",
        ),
    ],
)
def test_an_error_names_the_field_that_the_client_sent(
    bench: Bench, merged: dict[str, Any], param: str, message: str
) -> None:
    assert refused(bench, **merged) == (400, param, message)
    assert bench.tgi.generated == []
