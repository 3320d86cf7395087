"""`POST /messages` and `/messages/count_tokens` (docs/translation.md#messages-of-anthropic)."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.gateway.keys import ALL
from tests.gateway.scripted_tgi import answer, error_event, events, stream
from tests.gateway.serving import HI, T0, Bench, read_events

TOOL = {
    "name": "f",
    "description": "Does it",
    "input_schema": {"type": "object", "properties": {"a": {"type": "string"}}},
}
CALL = '<tool_call>{"name": "f", "arguments": {"a": "x"}}</tool_call>'
TOOLS_TEMPLATE = "{% for tool in tools %}{{ tool | tojson }}{% endfor %}" + T0


def ask(bench: Bench, *, path: str = "/v1/messages", **fields: Any) -> httpx.Response:
    body = {"model": "m", "max_tokens": 50, "messages": HI, **fields}
    return bench.post({key: value for key, value in body.items() if value is not None}, path=path)


def prompt(bench: Bench) -> str:
    return bench.tgi.generated[-1].json["inputs"]


def with_tools(bench: Bench) -> None:
    bench.register(bench.service(tools="hermes", chat_template=TOOLS_TEMPLATE))


def without_ids(found: Any) -> Any:
    if isinstance(found, dict):
        return {key: value.partition("_")[0] if key == "id" else without_ids(value) for key, value in found.items()}
    return [without_ids(each) for each in found] if isinstance(found, list) else found


def usage(prompt: int, completion: int) -> dict[str, int]:
    cache = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    return {"input_tokens": prompt, **cache, "output_tokens": completion}


def test_a_message_is_answered_with_a_message(bench: Bench) -> None:
    response = ask(bench, system="Be kind.", temperature=0.5, top_k=5, metadata={"user_id": "u"})
    assert without_ids(response.json()) == {
        "id": "msg",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": "Hello world"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage(7, 4),
    }
    assert response.headers["request-id"] == response.headers["x-request-id"]
    sent = bench.tgi.generated[0]
    assert sent.json["inputs"] == "[system]Be kind.</s>[user]Hi</s>[assistant]"
    asked = {key: sent.parameters[key] for key in ("max_new_tokens", "temperature", "top_k")}
    assert asked == {"max_new_tokens": 50, "temperature": 0.5, "top_k": 5}


def test_blocks_become_the_turns_of_a_chat(bench: Bench) -> None:
    bench.register(bench.service(chat_template="{{ messages | tojson }}"))
    kept = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "a", **kept}, {"type": "text", "text": "b"}]},
        {"role": "user", "content": "c"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Think", "signature": "s"},
                {"type": "redacted_thinking", "data": "…"},
                {"type": "text", "text": "I look"},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
                {"type": "tool_use", "id": "t2", "name": "f", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "one"}], **kept},
                {"type": "tool_result", "tool_use_id": "t2", "content": "no such file", "is_error": True},
                {"type": "text", "text": "Go on"},
            ],
        },
    ]
    system = [
        {"type": "text", "text": "x-anthropic-billing-header: cc_version=2; cch=1;"},
        {"type": "text", "text": "Be kind.", **kept},
        {"type": "text", "text": "Be short."},
    ]
    assert ask(bench, messages=messages, system=system).status_code == 200
    calls = [
        {"id": "t1", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}},
        {"id": "t2", "type": "function", "function": {"name": "f", "arguments": {}}},
    ]
    thought = {"thinking": "Think", "reasoning_content": "Think"}
    assert json.loads(prompt(bench)) == [
        {"role": "system", "content": "Be kind.\nBe short."},
        {"role": "user", "content": "a\nb\nc"},
        {**thought, "role": "assistant", "content": "I look", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "t1", "content": "one", "name": "f"},
        {"role": "tool", "tool_call_id": "t2", "content": "Error: no such file", "name": "f"},
        {"role": "user", "content": "Go on"},
    ]


def test_images_go_to_a_model_that_sees(bench: Bench) -> None:
    bench.register(bench.service(vision=True))
    source = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
    ask(bench, messages=[{"role": "user", "content": [{"type": "image", "source": source}]}])
    assert prompt(bench) == "[user]![](data:image/png;base64,AAAA)</s>[assistant]"


def test_the_model_continues_an_answer_that_was_begun(bench: Bench) -> None:
    messages = [*HI, {"role": "assistant", "content": "Well,"}]
    assert ask(bench, messages=messages).json()["content"] == [{"type": "text", "text": "Hello world"}]
    assert prompt(bench) == "[user]Hi</s>[assistant]Well,"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fields", "text", "end"),
    [
        ({"max_tokens": 2}, "Hello", {"stop_reason": "max_tokens", "stop_sequence": None}),
        ({"stop_sequences": ["x", "wor"]}, "Hello ", {"stop_reason": "stop_sequence", "stop_sequence": "wor"}),
        ({"stop_sequences": ["x"]}, "Hello world", {"stop_reason": "end_turn", "stop_sequence": None}),
    ],
)
def test_a_message_says_why_it_ended(
    bench: Bench, stream: bool, fields: dict[str, Any], text: str, end: dict[str, Any]
) -> None:
    response = ask(bench, stream=stream, **fields)
    if stream:
        found = read_events(response.text)
        said = "".join(each["delta"]["text"] for each in found if each["type"] == "content_block_delta")
        assert (said, found[-2]["delta"]) == (text, end)
    else:
        found = response.json()
        assert (found["content"][0]["text"], {key: found[key] for key in end}) == (text, end)


@pytest.mark.parametrize(
    ("choice", "grammar"),
    [
        (None, False),
        ({"type": "auto", "disable_parallel_tool_use": True}, False),
        ({"type": "any"}, True),
        ({"type": "tool", "name": "f"}, True),
    ],
)
def test_a_call_is_a_block(bench: Bench, choice: dict[str, Any] | None, grammar: bool) -> None:
    with_tools(bench)
    forced = '{"function": {"name": "f", "arguments": {"a": "x"}}}'
    bench.tgi.usual = answer(forced if grammar else f"I see. {CALL}", "</s>*")
    found = ask(bench, tools=[TOOL], tool_choice=choice).json()
    block = {"type": "tool_use", "id": "toolu", "name": "f", "input": {"a": "x"}}
    text = [] if grammar else [{"type": "text", "text": "I see. "}]
    assert without_ids(found["content"]) == [*text, block]
    assert found["stop_reason"] == "tool_use"
    assert ("grammar" in bench.tgi.generated[0].parameters) == grammar
    function = {"name": "f", "description": "Does it", "parameters": TOOL["input_schema"]}
    assert prompt(bench).startswith(json.dumps({"type": "function", "function": function}))


def test_arguments_that_are_not_json_are_in_an_object(bench: Bench) -> None:
    with_tools(bench)
    bench.tgi.usual = answer('<tool_call>{"name": "f", "arguments": {"a": oops</tool_call>', "</s>*")
    assert ask(bench, tools=[TOOL]).json()["content"][0]["input"] == {"INVALID_JSON": '{"a": oops'}


def test_the_events_of_a_stream(bench: Bench) -> None:
    with_tools(bench)
    bench.tgi.usual = answer("I see", ". ", CALL[:50], CALL[50:], "</s>*")
    response = ask(bench, tools=[TOOL], stream=True, path="/messages")
    found = read_events(response.text)
    named = [line[7:] for line in response.text.split("\n") if line.startswith("event: ")]
    assert named == [each["type"] for each in found]
    head = {"id": "msg", "type": "message", "role": "assistant", "model": "m", "content": []}
    begun = {**head, "stop_reason": None, "stop_sequence": None, "usage": usage(0, 0)}
    tool = {"type": "tool_use", "id": "toolu", "name": "f", "input": {}}
    assert without_ids(found) == [
        {"type": "message_start", "message": begun},
        {"type": "ping"},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "I see"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": ". "}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": tool},
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "input_json_delta", "partial_json": '{"a": "x"}'},
        },
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": usage(7, 5)},
        {"type": "message_stop"},
    ]
    assert response.headers["request-id"] == response.headers["x-request-id"]


def test_a_stream_that_fails_ends_with_an_error(bench: Bench) -> None:
    bench.tgi.usual = stream(*events("Hel", finish=None), error_event("out of memory", "generation"))
    response = ask(bench, stream=True)
    error = {"type": "api_error", "message": "out of memory", "code": "generation_failed"}
    identity = response.headers["request-id"]
    assert read_events(response.text)[-1] == {"type": "error", "error": error, "request_id": identity}


def test_tokens_are_counted_by_the_models_own_tokenizer(bench: Bench) -> None:
    bench.tgi.tokens = [{"id": n, "text": "x", "start": n, "stop": n + 1} for n in range(6)]
    counted = ask(bench, path="/v1/messages/count_tokens", max_tokens=None, system="Be kind.")
    assert (counted.status_code, counted.json()) == (200, {"input_tokens": 6})
    assert bench.tgi.asked[-1].json == {"inputs": "[system]Be kind.</s>[user]Hi</s>[assistant]"}
    assert bench.tgi.generated == []
    bench.tgi.tokens = None
    failed = ask(bench, path="/v1/messages/count_tokens", max_tokens=None)
    text = "the upstream did not count the tokens: /tokenize gave no answer"
    assert failed.status_code == 500
    assert failed.json()["error"] == {"type": "api_error", "message": text, "code": "upstream_error"}


REFUSED: list[tuple[dict[str, Any], str, str, str]] = [
    ({"max_tokens": None}, "invalid_type", "max_tokens", "max_tokens: found null; use an integer from 1"),
    ({"messages": None}, "invalid_type", "messages", "messages: found null; use a list of messages"),
    (
        {"tools": [{"type": "web_search_20260318", "name": "web_search"}]},
        "unsupported_parameter",
        "tools[0]",
        "tools[0] is not supported here: found the tool 'web_search_20260318', which only Anthropic's models know; "
        "define a tool with input_schema",
    ),
    (
        {"tools": [{**TOOL, "name": "a b"}]},
        "invalid_value",
        "tools[0].name",
        "tools[0].name: found the string 'a b'; use 1 to 64 of the characters a-z, A-Z, 0-9, _ and -",
    ),
    (
        {"tools": [{"name": "f"}]},
        "invalid_type",
        "tools[0].input_schema",
        "tools[0].input_schema: found null; use an object",
    ),
    (
        {"mcp_servers": [{"type": "url"}]},
        "unsupported_parameter",
        "mcp_servers",
        "mcp_servers is not supported here: the gateway calls no MCP servers; call their tools yourself, as tools",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "base64"}}]}]},
        "unsupported_value",
        "messages[0].content[0].type",
        "messages[0].content[0].type: found the string 'document'; use text, image or tool_result",
    ),
    (
        {
            "system": "x",
            "messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "x"}}]}],
        },
        "unsupported_value",
        "messages[0].content",
        "messages[0].content part 0: this model takes no images",
    ),
    (
        {"stop_sequence": ["x"]},
        "unsupported_parameter",
        "stop_sequence",
        "stop_sequence is not supported here: there is no such field; use stop_sequences, or leave it out",
    ),
]


@pytest.mark.parametrize(("fields", "code", "param", "text"), REFUSED, ids=[f"{row[2]} {row[1]}" for row in REFUSED])
def test_what_cannot_be_served_is_refused_by_name(
    bench: Bench, fields: dict[str, Any], code: str, param: str, text: str
) -> None:
    response = ask(bench, **fields)
    error = {"type": "invalid_request_error", "message": text, "code": code, "param": param}
    identity = response.headers["request-id"]
    assert (response.status_code, response.json()) == (400, {"type": "error", "error": error, "request_id": identity})
    assert bench.tgi.generated == []


def test_errors_of_every_kind_have_anthropics_form(bench: Bench) -> None:
    bench.register(bench.service("closed", auth=True, model="closed"), bench.service(), keys=(ALL,))
    found = [
        (status, response.json()["type"], response.json()["error"]["type"])
        for response, status in (
            (bench.http.get(f"{bench.url}/v1/messages"), 405),
            (ask(bench, path="/v1/messages/", model="closed"), 401),
            (ask(bench, path="/messages/count_tokens", model="closed"), 401),
            (ask(bench, model="other"), 401),
            (bench.post(b"{", path="/v1/messages"), 400),
            (bench.post({"model": 5}, path="/v1/messages"), 400),
        )
        if response.status_code == status and response.headers["request-id"] == response.json()["request_id"]
    ]
    assert found == [
        (405, "error", "invalid_request_error"),
        *[(401, "error", "authentication_error")] * 3,
        *[(400, "error", "invalid_request_error")] * 2,
    ]
    assert "type" not in bench.post({"model": "closed"}, path="/v1/chat/completions").json()


@pytest.mark.parametrize(
    ("thinking", "shown"), [({"type": "adaptive"}, "True True"), ({"type": "disabled"}, "False False"), (None, " ")]
)
def test_thinking_is_a_variable_of_the_template(bench: Bench, thinking: dict[str, Any] | None, shown: str) -> None:
    bench.register(bench.service(chat_template="{{ enable_thinking }} {{ thinking }}|" + T0))
    ask(bench, thinking=thinking)
    assert prompt(bench).partition("|")[0] == shown


def test_what_claude_code_sends_is_served(bench: Bench) -> None:
    with_tools(bench)
    ephemeral = {"cache_control": {"type": "ephemeral"}}
    asked = {
        "messages": [
            {
                "role": "user",
                "content": [{"type": "text", "text": "<system-reminder>"}, {"type": "text", "text": "Hi", **ephemeral}],
            }
        ],
        "system": [{"type": "text", "text": "You are Claude Code.", **ephemeral}],
        "tools": [{**TOOL, "eager_input_streaming": True, **ephemeral}],
        "metadata": {"user_id": "user_1"},
        "max_tokens": 32000,
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "medium"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "stream": True,
    }
    response = ask(bench, path="/v1/messages?beta=true", **asked)
    assert read_events(response.text)[-1] == {"type": "message_stop"}
    assert prompt(bench).endswith("[system]You are Claude Code.</s>[user]<system-reminder>\nHi</s>[assistant]")


def test_a_format_is_a_grammar(bench: Bench) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    for fields in (
        {"output_config": {"format": {"type": "json_schema", "schema": schema}}},
        {"output_format": {"type": "json_schema", "schema": schema}},
    ):
        ask(bench, **fields)
        assert bench.tgi.generated[-1].parameters["grammar"] == {"type": "json", "value": schema}


def test_other_runs_answer_the_route_themselves(bench: Bench) -> None:
    bench.register(bench.service(format="openai"))
    body = {"model": "m", "max_tokens": 5, "messages": HI}
    bench.post(body, path="/v1/messages")
    assert [(asked.path, asked.json) for asked in bench.tgi.asked] == [("/v1/messages", body)]


def test_reasoning_is_a_block_of_thinking(bench: Bench) -> None:
    bench.register(bench.service(chat_template=T0 + "{% if false %}<think></think>{% endif %}"))
    bench.tgi.usual = answer("<think>", "Hm", "m", "</think>", "Hello", "</s>*")
    thinking = {"type": "thinking", "thinking": "Hmm", "signature": "unsigned"}
    assert ask(bench).json()["content"] == [thinking, {"type": "text", "text": "Hello"}]
    found = read_events(ask(bench, stream=True).text)
    part = {"type": "content_block_delta", "index": 0}
    assert found[2:8] == [
        {"type": "content_block_start", "index": 0, "content_block": {**thinking, "thinking": "", "signature": ""}},
        {**part, "delta": {"type": "thinking_delta", "thinking": "Hm"}},
        {**part, "delta": {"type": "thinking_delta", "thinking": "m"}},
        {**part, "delta": {"type": "signature_delta", "signature": "unsigned"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    ]
