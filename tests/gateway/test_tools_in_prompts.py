"""Tools are never lost: a model whose template prints none is told of them in its last user message."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.gateway.scripted_tgi import answer
from tests.gateway.serving import HI, Bench

TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}},
}
SAID = f"\n---\nThese functions are available: {json.dumps([TOOL['function']], separators=(',', ':'))}\n"
ANY = '{"name": function name, "parameters": object with the arguments}'
HERMES = '<tool_call>{"name": function name, "arguments": object with the arguments}</tool_call>'
FORCED = '{"function": {"name": function name, "arguments": object with the arguments}}'
IF = "If a function helps to answer, call it: respond only with {}. If not, answer without a call."


@pytest.mark.parametrize(
    ("mode", "choice", "rule"),
    [
        ("grammar", None, IF.format(ANY)),
        ("hermes", "auto", IF.format(HERMES)),
        ("grammar", "required", f"Call the function that helps best. Respond only with {FORCED}."),
    ],
)
def test_a_template_that_prints_no_tools_gets_them_in_the_last_message(
    bench: Bench, mode: str, choice: str | None, rule: str
) -> None:
    bench.register(bench.service(tools=mode))
    bench.chat(tools=[TOOL], **({"tool_choice": choice} if choice else {}))
    assert [each.json["inputs"] for each in bench.tgi.generated] == [f"[user]Hi{SAID}{rule}</s>[assistant]"]


def test_a_template_that_names_tools_and_prints_none_is_seen_through(bench: Bench) -> None:
    bench.register(bench.service(chat_template="{% if tools and false %}{% endif %}[{{ messages[0].content }}]"))
    bench.chat(tools=[TOOL])
    assert bench.tgi.generated[0].json["inputs"] == f"[Hi{SAID}{IF.format(ANY)}]"


def test_the_name_of_a_tool_in_a_message_is_not_taken_for_the_tool(bench: Bench) -> None:
    bench.post({"model": "m", "messages": [{"role": "user", "content": "use look_up"}], "tools": [TOOL]})
    assert SAID in bench.tgi.generated[0].json["inputs"]


def test_a_template_that_prints_tools_is_left_alone_and_so_is_none(bench: Bench) -> None:
    bench.register(
        bench.service(chat_template="{% if tools %}{{ tools | tojson }}{% endif %}[{{ messages[0].content }}]")
    )
    bench.chat(tools=[TOOL])
    bench.chat(tools=[TOOL], tool_choice="none")
    assert [each.json["inputs"] for each in bench.tgi.generated] == [json.dumps([TOOL]) + "[Hi]"] * 2


def test_the_users_last_message_has_the_tools_in_the_second_turn_too(bench: Bench) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": "found"},
    ]
    bench.post({"model": "m", "messages": messages, "tools": [TOOL]})
    assert bench.tgi.generated[0].json["inputs"].startswith("[user]Hi\n" + SAID.removeprefix("\n---\n"))


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
FORMAT = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
ANSWER = ['{"function": ', '{"answer', '": {"a"', ": 1}", "}}", "</s>*"]
CALL = ['{"function": {"na', 'me": "look_up", "arguments": ', "{}}}", "</s>*"]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("texts", "content", "called", "finish"),
    [(ANSWER, '{"a": 1}', [], "stop"), (CALL, "", ["look_up"], "tool_calls")],
)
def test_tools_with_a_response_format_give_a_call_or_the_format(
    bench: Bench, streamed: bool, texts: list[str], content: str, called: list[str], finish: str
) -> None:
    bench.tgi.usual = answer(*texts)
    merged = {"tools": [TOOL], "response_format": FORMAT}
    with bench.client() as client:
        if streamed:
            with client.chat.completions.stream(model="m", messages=HI, extra_body=merged) as events:  # type: ignore[arg-type]
                completion: Any = events.get_final_completion()
        else:
            completion = client.chat.completions.create(model="m", messages=HI, extra_body=merged)  # type: ignore[arg-type]
    found = completion.choices[0]
    calls = [call.function.name for call in found.message.tool_calls or ()]
    assert (found.message.content or "", calls, found.finish_reason) == (content, called, finish)
