"""A whole message in Anthropic's form (docs/translation.md#answers-of-anthropic)."""

from __future__ import annotations

import os
from typing import Any, cast

from gateway_lambda.anthropic.request import MessagesRequest
from gateway_lambda.bounded_json import JsonRefused, decode_bounded
from gateway_lambda.generation.choice import Choice, Finish, ToolCall
from gateway_lambda.templates.calls import INVALID_JSON

SIGNATURE = "unsigned"
"""Anthropic signs the thinking of its models. Some clients send thinking back only with a signature."""


def message_head(request: MessagesRequest) -> dict[str, Any]:
    """The fields of a message that are known before its first token."""
    return {
        "id": "msg_" + os.urandom(16).hex(),
        "type": "message",
        "role": "assistant",
        "model": request.model.name,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def whole_message(request: MessagesRequest, choice: Choice, prompt: int) -> dict[str, Any]:
    """Return the message of an answer. `prompt`: the tokens of the prompt."""
    called = choice.called
    calls = () if called is None else called.calls
    text = choice.text if called is None else called.content
    content: list[dict[str, Any]] = []
    if choice.reasoning is not None:
        content.append({"type": "thinking", "thinking": choice.reasoning, "signature": SIGNATURE})
    if text:
        content.append({"type": "text", "text": text})
    content += [tool_use(call) for call in calls]
    end = end_of(request, choice.finish, choice.stop, calls=bool(calls))
    return {**message_head(request), "content": content, **end, "usage": usage_of(prompt, choice.tokens)}


def end_of(request: MessagesRequest, finish: Finish, stop: str | None, *, calls: bool) -> dict[str, str | None]:
    """Return why an answer ended. `stop`: the text of the stop that ended it, which may be one of the model's own."""
    if finish == "length":
        return {"stop_reason": "max_tokens", "stop_sequence": None}
    if stop in request.stop:
        return {"stop_reason": "stop_sequence", "stop_sequence": stop}
    return {"stop_reason": "tool_use" if calls else "end_turn", "stop_sequence": None}


def usage_of(prompt: int, completion: int) -> dict[str, int]:
    """Token counts. The gateway knows of no cache."""
    return {
        "input_tokens": prompt,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": completion,
    }


def tool_use(call: ToolCall) -> dict[str, Any]:
    """A call. Arguments that are not an object are in one, under the name that Anthropic's documentation gives them."""
    return {"type": "tool_use", "id": call_id(call.id), "name": call.name, "input": _input(call.arguments)}


def call_id(identity: str) -> str:
    """The id of a call, which begins as Anthropic's do."""
    return "toolu_" + identity.removeprefix("call_")


def _input(arguments: str) -> dict[str, Any]:
    try:
        found = decode_bounded(arguments.encode("utf-8", "surrogatepass"))
    except JsonRefused:
        found = None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {INVALID_JSON: arguments}
