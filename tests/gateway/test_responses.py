"""`POST /responses`: fields, items, whole answers and events (docs/translation.md#responses)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.gateway.scripted_tgi import answer, error_event, events, stream
from tests.gateway.serving import T0, Bench, read_events

FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}}
PATCH = {"type": "custom", "name": "patch", "description": "Changes files"}
CALL = '<tool_call>{"name": "f", "arguments": {"a": "x"}}</tool_call>'
CUSTOM_CALL = '<tool_call>{"name": "patch", "arguments": {"input": "a\\nb"}}</tool_call>'
TOOLS_TEMPLATE = "{% for tool in tools %}{{ tool | tojson }}{% endfor %}" + T0


def respond(bench: Bench, **fields: Any) -> Any:
    response = bench.post({"model": "m", "input": "Hi", **fields}, path="/v1/responses")
    return response.json()


def prompt(bench: Bench) -> str:
    return bench.tgi.generated[-1].json["inputs"]


def with_tools(bench: Bench) -> None:
    bench.register(bench.service(tools="hermes", chat_template=TOOLS_TEMPLATE))


def without_ids(found: Any) -> Any:
    """The same with the prefix of each id alone."""
    if isinstance(found, dict):
        return {
            key: value.partition("_")[0] if key in ("id", "item_id", "call_id") else without_ids(value)
            for key, value in found.items()
        }
    return [without_ids(each) for each in found] if isinstance(found, list) else found


def message(text: str, status: str = "completed") -> dict[str, Any]:
    content = [{"type": "output_text", "annotations": [], "logprobs": [], "text": text}]
    return {"id": "msg", "type": "message", "status": status, "content": content, "role": "assistant"}


def call(arguments: str, status: str = "completed") -> dict[str, Any]:
    kind = {"id": "fc", "type": "function_call", "status": status}
    return {**kind, "arguments": arguments, "call_id": "call", "name": "f"}


def custom_call(text: str, status: str = "completed") -> dict[str, Any]:
    return {
        "id": "fc",
        "type": "custom_tool_call",
        "status": status,
        "call_id": "call",
        "name": "patch",
        "input": text,
    }


def test_a_response_says_what_was_asked_and_answered(bench: Bench) -> None:
    asked = {
        "instructions": "Be kind.",
        "max_output_tokens": 9,
        "metadata": {"a": "b"},
        "reasoning": {"effort": "low", "summary": "auto"},
        "store": True,
        "temperature": 0.5,
        "text": {"verbosity": "low"},
        "top_p": 0.9,
        "user": "u",
        "prompt_cache_key": "k",
        "include": ["reasoning.encrypted_content"],
        "stream_options": {"include_obfuscation": False},
        "client_metadata": {"x": "y"},
    }
    found = respond(bench, **asked)
    assert type(found.pop("created_at")) is int
    assert without_ids(found) == {
        "id": "resp",
        "object": "response",
        "model": "m",
        "status": "completed",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": "Be kind.",
        "max_output_tokens": 9,
        "max_tool_calls": None,
        "metadata": {"a": "b"},
        "output": [message("Hello world")],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": "k",
        "reasoning": {"effort": "low", "summary": "auto"},
        "safety_identifier": None,
        "service_tier": "default",
        "store": False,
        "temperature": 0.5,
        "text": {"format": {"type": "text"}, "verbosity": "low"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 0.9,
        "truncation": "disabled",
        "usage": {
            "input_tokens": 7,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 4,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 11,
        },
        "user": "u",
    }
    sent = bench.tgi.generated[0]
    assert sent.json["inputs"] == "[system]Be kind.</s>[user]Hi</s>[assistant]"
    assert (sent.parameters["max_new_tokens"], sent.parameters["temperature"]) == (9, 0.5)


def test_items_become_the_turns_of_a_chat(bench: Bench) -> None:
    bench.register(bench.service(chat_template="{{ messages | tojson }}"))
    items = [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Rules"}]},
        {"role": "user", "content": [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "xyz"},
        {"type": "reasoning", "id": "rs_2", "summary": [{"type": "summary_text", "text": "Think"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look"}]},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a": 1}', "status": "completed"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "patch", "input": "text"},
        {"type": "function_call_output", "call_id": "c1", "output": "one"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "two"}]},
        {"role": "assistant", "content": "Done"},
        {"role": "user", "content": "Thanks"},
    ]
    respond(bench, input=items, instructions="Be kind.")
    calls = [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}},
        {"id": "c2", "type": "function", "function": {"name": "patch", "arguments": {"input": "text"}}},
    ]
    thought = {"thinking": "Think", "reasoning_content": "Think"}
    assert json.loads(prompt(bench)) == [
        {"role": "system", "content": "Be kind.\n\nRules"},
        {"role": "user", "content": "a\nb"},
        {**thought, "role": "assistant", "content": "I look", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c1", "content": "one", "name": "f"},
        {"role": "tool", "tool_call_id": "c2", "content": "two", "name": "patch"},
        {"role": "assistant", "content": "Done"},
        {"role": "user", "content": "Thanks"},
    ]


def test_calls_are_items_behind_the_text(bench: Bench) -> None:
    with_tools(bench)
    bench.tgi.usual = answer("I see. ", CALL, CUSTOM_CALL, "</s>*")
    found = respond(bench, tools=[FUNCTION, PATCH])
    assert without_ids(found["output"]) == [message("I see. "), call('{"a": "x"}'), custom_call("a\nb")]
    assert '"name": "patch", "description": "Changes files", "parameters"' in prompt(bench)


def test_the_events_of_a_stream(bench: Bench) -> None:
    with_tools(bench)
    bench.tgi.usual = answer("I see", ". ", CALL[:50], CALL[50:], CUSTOM_CALL, "</s>*")
    body = {"model": "m", "input": "Hi", "tools": [FUNCTION, PATCH], "stream": True}
    text = bench.post(body, path="/responses").text
    named = [line[7:] for line in text.split("\n") if line.startswith("event: ")]
    found = read_events(text)
    assert named == [each["type"] for each in found]
    assert [each.pop("sequence_number") for each in found] == list(range(len(found)))
    opening, progress, *middle, end = found
    assert opening["response"] == progress["response"]
    assert (opening["response"]["status"], opening["response"]["output"]) == ("in_progress", [])
    assert end["response"]["id"] == opening["response"]["id"]
    output = [message("I see. "), call('{"a": "x"}'), custom_call("a\nb")]
    assert without_ids(end["response"]["output"]) == output
    assert (end["type"], end["response"]["usage"]["total_tokens"]) == ("response.completed", 13)
    in_text = {"item_id": "msg", "output_index": 0, "content_index": 0}
    in_call = {"item_id": "fc", "output_index": 1}
    in_custom = {"item_id": "fc", "output_index": 2}
    part = output[0]["content"][0]
    begun = {**message("", "in_progress"), "content": []}
    assert without_ids(middle) == [
        {"type": "response.output_item.added", "output_index": 0, "item": begun},
        {"type": "response.content_part.added", **in_text, "part": {**part, "text": ""}},
        {"type": "response.output_text.delta", **in_text, "delta": "I see", "logprobs": []},
        {"type": "response.output_text.delta", **in_text, "delta": ". ", "logprobs": []},
        {"type": "response.output_text.done", **in_text, "text": "I see. ", "logprobs": []},
        {"type": "response.content_part.done", **in_text, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": output[0]},
        {"type": "response.output_item.added", "output_index": 1, "item": call("", "in_progress")},
        {"type": "response.function_call_arguments.delta", **in_call, "delta": '{"a": "x"}'},
        {"type": "response.function_call_arguments.done", **in_call, "arguments": '{"a": "x"}', "name": "f"},
        {"type": "response.output_item.done", "output_index": 1, "item": output[1]},
        {"type": "response.output_item.added", "output_index": 2, "item": custom_call("", "in_progress")},
        {"type": "response.custom_tool_call_input.delta", **in_custom, "delta": "a\nb"},
        {"type": "response.custom_tool_call_input.done", **in_custom, "input": "a\nb"},
        {"type": "response.output_item.done", "output_index": 2, "item": output[2]},
    ]


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_ends_at_its_limit_is_incomplete(bench: Bench, stream: bool) -> None:
    body = {"model": "m", "input": "Hi", "max_output_tokens": 2, "stream": stream}
    response = bench.post(body, path="/v1/responses")
    found = read_events(response.text)[-1]["response"] if stream else response.json()
    assert (found["status"], found["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert without_ids(found["output"]) == [message("Hello", "incomplete")]


def test_an_empty_answer_is_an_empty_message(bench: Bench) -> None:
    bench.tgi.usual = answer("</s>*")
    assert without_ids(respond(bench)["output"]) == [message("")]
    streamed = bench.post({"model": "m", "input": "Hi", "stream": True}, path="/v1/responses")
    assert without_ids(read_events(streamed.text)[-1]["response"]["output"]) == [message("")]


def test_log_probabilities_are_beside_the_text(bench: Bench) -> None:
    bench.tgi.usual = answer("Hi", "</s>*")
    scored = [{"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}]
    asked = {"include": ["message.output_text.logprobs"]}
    assert respond(bench, **asked)["output"][0]["content"][0]["logprobs"] == scored
    streamed = bench.post({"model": "m", "input": "Hi", "stream": True, **asked}, path="/v1/responses")
    found = read_events(streamed.text)
    assert [each["logprobs"] for each in found if "logprobs" in each] == [scored, scored]


def test_a_text_format_is_a_grammar(bench: Bench) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    respond(bench, text={"format": {"type": "json_schema", "name": "x", "schema": schema, "strict": True}})
    assert bench.tgi.generated[0].parameters["grammar"] == {"type": "json", "value": schema}


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "function", "name": "f"},
        {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]},
    ],
)
def test_a_call_can_be_forced(bench: Bench, choice: dict[str, Any]) -> None:
    with_tools(bench)
    bench.tgi.usual = answer('{"function": {"name": "f", "arguments": {"a": "x"}}}', "</s>*")
    found = respond(bench, tools=[FUNCTION, PATCH], tool_choice=choice)
    assert without_ids(found["output"]) == [call('{"a": "x"}')]


STATELESS = "the gateway stores no responses; send the whole conversation as input, and leave it out"
REFUSED: list[tuple[dict[str, Any], str, str, str]] = [
    (
        {"previous_response_id": "resp_1"},
        "unsupported_parameter",
        "previous_response_id",
        f"previous_response_id is not supported here: {STATELESS}",
    ),
    (
        {"conversation": "conv_1"},
        "unsupported_parameter",
        "conversation",
        f"conversation is not supported here: {STATELESS}",
    ),
    (
        {"background": True},
        "unsupported_parameter",
        "background",
        "background is not supported here: the gateway stores no responses; use stream for long answers",
    ),
    *(
        (
            {"tools": [FUNCTION, {"type": kind}]},
            "unsupported_parameter",
            "tools[1]",
            f"tools[1] is not supported here: found the tool '{kind}', which OpenAI's servers run; leave it out, or "
            "define a function",
        )
        for kind in ("web_search", "file_search", "code_interpreter", "computer_use_preview", "mcp", "image_generation")
    ),
    (
        {"input": [{"role": "user", "content": "Hi"}, {"type": "item_reference", "id": "msg_1"}]},
        "unsupported_value",
        "input[1]",
        "input[1]: the gateway stores no responses, so it does not know this item; send the item itself (clients send "
        "references unless their setting store is false)",
    ),
    (
        {"input": [{"type": "web_search_call", "id": "ws_1"}]},
        "unsupported_value",
        "input[0].type",
        "input[0].type: found the string 'web_search_call'; use one of message, reasoning, function_call, "
        "function_call_output, custom_tool_call, custom_tool_call_output, item_reference",
    ),
    (
        {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
        "unsupported_value",
        "input[0].content[0].file_id",
        "input[0].content[0].file_id: the gateway stores no files; use image_url with a data: URI",
    ),
    (
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:,"}]}]},
        "unsupported_value",
        "input[0].content",
        "input[0].content part 0: this model takes no images",
    ),
    ({"input": 5}, "invalid_type", "input", "input: found 5; use a string or a list of items"),
    ({"input": []}, "invalid_value", "input", "input: found a list; use a text, or at least one item"),
    (
        {"tools": [{**FUNCTION, "name": "a b"}]},
        "invalid_value",
        "tools[0].name",
        "tools[0].name: found the string 'a b'; use 1 to 64 of the characters a-z, A-Z, 0-9, _ and -",
    ),
    (
        {"text": {"format": {"type": "json_schema", "name": "x", "schema": {"type": "array"}}}},
        "invalid_value",
        "text.format.schema",
        "text.format.schema: found the string 'array'; use 'object', because the upstream makes nothing else",
    ),
    (
        {"max_tokens": 5},
        "unsupported_parameter",
        "max_tokens",
        "max_tokens is not supported here: this route does not have it; use max_output_tokens",
    ),
    (
        {"tools": [{"type": "namespace", "name": "crm", "tools": [{"type": "web_search"}]}]},
        "unsupported_value",
        "tools[0].tools[0].type",
        "tools[0].tools[0].type: found the string 'web_search'; use function or custom",
    ),
    (
        {"tools": [{"type": "namespace", "name": "crm"}]},
        "invalid_type",
        "tools[0].tools",
        "tools[0].tools: found null; use a list",
    ),
    (
        {"max_ouput_tokens": 5},
        "unsupported_parameter",
        "max_ouput_tokens",
        "max_ouput_tokens is not supported here: there is no such field; use max_output_tokens, or leave it out",
    ),
]


@pytest.mark.parametrize(
    ("fields", "code", "param", "text"), REFUSED, ids=[f"{row[2]} {row[3][-20:]}" for row in REFUSED]
)
def test_what_cannot_be_served_is_refused_by_name(
    bench: Bench, fields: dict[str, Any], code: str, param: str, text: str
) -> None:
    error = {"message": text, "type": "invalid_request_error", "param": param, "code": code}
    assert respond(bench, **fields) == {"error": error}
    assert bench.tgi.generated == []


CRM = {"type": "namespace", "name": "mcp__crm__", "description": "d", "tools": [FUNCTION, PATCH]}
OTHER = {"type": "namespace", "name": "crm", "tools": [{**FUNCTION, "name": "g" * 70}]}
CRM_CALL = CALL.replace('"f"', '"mcp__crm__f"') + CUSTOM_CALL.replace('"patch"', '"mcp__crm__patch"')


def test_a_tool_of_a_namespace_has_one_name_for_the_model_and_two_for_the_client(bench: Bench) -> None:
    with_tools(bench)
    bench.tgi.usual = answer(CRM_CALL, "</s>*")
    asked = [
        {"role": "user", "content": "Hi"},
        {"type": "function_call", "call_id": "c1", "namespace": "mcp__crm__", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "one"},
    ]
    found = respond(bench, input=asked, tools=[CRM, FUNCTION, OTHER])
    output = [{**call('{"a": "x"}'), "namespace": "mcp__crm__"}, {**custom_call("a\nb"), "namespace": "mcp__crm__"}]
    assert without_ids(found["output"]) == output
    assert found["tools"] == [CRM, FUNCTION, OTHER]
    names = ["f", "mcp__crm__f", "mcp__crm__patch", f"crm__{'g' * 50}_d496be0c"]
    assert [prompt(bench).find(f'"name": "{name}"') > 0 for name in names] == [True] * 4
    sent = bench.post({"model": "m", "input": asked, "tools": [CRM], "stream": True}, path="/v1/responses")
    ended = read_events(sent.text)[-1]
    assert without_ids(ended["response"]["output"]) == output


def test_the_name_of_a_function_in_a_namespace_reaches_the_template(bench: Bench) -> None:
    bench.register(bench.service(chat_template="{{ messages | tojson }}"))
    items = [
        {"role": "user", "content": "Hi"},
        {"type": "function_call", "call_id": "c1", "namespace": "crm", "name": "f", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "c2", "namespace": None, "name": "patch", "input": "x"},
    ]
    respond(bench, input=items)
    called = json.loads(prompt(bench))[1]["tool_calls"]
    assert [each["function"]["name"] for each in called] == ["crm__f", "patch"]


def test_a_model_that_drops_parameters_drops_tools_of_servers(bench: Bench) -> None:
    bench.register(bench.service(tools="hermes", unsupported_params="drop"))
    body = {"model": "m", "input": "Hi", "tools": [{"type": "web_search"}], "truncation": "auto"}
    response = bench.post(body, path="/v1/responses")
    assert (response.status_code, response.headers["x-gateway-dropped-params"]) == (200, "truncation, tools[0]")


def test_a_stream_that_fails_says_it_twice(bench: Bench) -> None:
    """Some clients read the event `error`, others `response.failed`."""
    bench.tgi.usual = stream(*events("Hel", finish=None), error_event("out of memory", "generation"))
    found = read_events(bench.post({"model": "m", "input": "Hi", "stream": True}, path="/v1/responses").text)
    said = {"code": "generation_failed", "message": "out of memory", "param": None}
    number = found[-1]["sequence_number"]
    error = {"type": "server_error", **said}
    assert found[-2] == {"type": "error", "sequence_number": number - 1, **said, "error": error}
    failed = found[-1]["response"]
    assert (found[-1]["type"], failed["status"]) == ("response.failed", "failed")
    assert failed["error"] == {"code": "generation_failed", "message": "out of memory"}


def test_what_codex_sends_is_served(bench: Bench) -> None:
    with_tools(bench)
    asked = {
        "instructions": "You are a coding agent.",
        "input": [
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "<permissions>"}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        ],
        "tools": [
            {**FUNCTION, "description": "Runs a command", "strict": False},
            {
                **PATCH,
                "format": {"type": "grammar", "syntax": "lark", "definition": "start: /a/"},
            },
        ],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "reasoning": {"effort": "medium", "summary": "auto"},
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "0196",
        "text": {"verbosity": "medium"},
    }
    response = bench.post({"model": "m", **asked}, path="/v1/responses")
    assert read_events(response.text)[-1]["type"] == "response.completed"
    assert "Changes files\\n\\nThe input has the form of this lark grammar:\\nstart: /a/" in prompt(bench)
    assert prompt(bench).endswith("[system]You are a coding agent.\n\n<permissions></s>[user]Hi</s>[assistant]")


def test_other_runs_answer_the_route_themselves(bench: Bench) -> None:
    bench.register(bench.service(format="openai"))
    body = {"model": "m", "input": "Hi"}
    bench.post(body, path="/v1/responses")
    assert [(asked.path, asked.json) for asked in bench.tgi.asked] == [("/v1/responses", body)]


THINKS = T0 + "{% if false %}<think></think>{% endif %}"
REASONING = {"id": "rs", "type": "reasoning", "encrypted_content": None}


@pytest.mark.parametrize("summary", [None, "auto"])
def test_reasoning_is_an_item_before_the_text(bench: Bench, summary: str | None) -> None:
    """A client that asks for a summary gets the reasoning as one."""
    bench.register(bench.service(chat_template=THINKS))
    bench.tgi.usual = answer("<think>", "Hm", "m", "</think>", "Hello", "</s>*")
    asked = {"model": "m", "input": "Hi", "reasoning": {"summary": summary}}
    part = {"type": "reasoning_text" if summary is None else "summary_text", "text": "Hmm"}
    parts = {"summary": [], "content": [part]} if summary is None else {"summary": [part], "content": []}
    output = [{**REASONING, **parts}, message("Hello")]
    assert without_ids(bench.post(asked, path="/v1/responses").json()["output"]) == output
    found = read_events(bench.post({**asked, "stream": True}, path="/v1/responses").text)
    assert without_ids(found[-1]["response"]["output"]) == output
    name = "reasoning_text" if summary is None else "reasoning_summary_text"
    number = "content_index" if summary is None else "summary_index"
    place = {"item_id": "rs", "output_index": 0, number: 0}
    kind = "content_part" if summary is None else "reasoning_summary_part"
    for each in found:
        del each["sequence_number"]
    assert without_ids(found[2:9]) == [
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**REASONING, "summary": [], "content": []},
        },
        {"type": f"response.{kind}.added", **place, "part": {**part, "text": ""}},
        {"type": f"response.{name}.delta", **place, "delta": "Hm"},
        {"type": f"response.{name}.delta", **place, "delta": "m"},
        {"type": f"response.{name}.done", **place, "text": "Hmm"},
        {"type": f"response.{kind}.done", **place, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": output[0]},
    ]
