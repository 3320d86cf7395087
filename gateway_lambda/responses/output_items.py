"""The items of `output`, in the order in which the model writes them (docs/translation.md#output-items)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import msgspec

from gateway_lambda.bounded_json import JsonRefused, decode_bounded
from gateway_lambda.generation.choice import Choice, ToolCall
from gateway_lambda.generation.scored_token import scored_token
from gateway_lambda.generation.scores import Score
from gateway_lambda.responses.sent_tools import SentTool, SentTools


def new_id(prefix: str) -> str:
    """Return an id: `prefix` and 32 hexadecimal digits."""
    return prefix + os.urandom(16).hex()


def items_of(choice: Choice, tools: SentTools, *, summarizes: bool) -> list[dict[str, Any]]:
    """Return the items of a whole answer. `tools`: those of the request.

    `summarizes`: the client asks for a summary of the reasoning.
    """
    status = status_of(choice.finish == "length")
    called = choice.called
    calls = () if called is None else called.calls
    text = choice.text if called is None else called.content
    items: list[dict[str, Any]] = []
    if choice.reasoning is not None:
        items.append(reasoning_item(new_id("rs_"), choice.reasoning, summarizes=summarizes))
    if text or not items + list(calls):
        items.append(message_item(new_id("msg_"), text or "", status, choice.scores or ()))
    items += [call_item(new_id("fc_"), call, status, tools) for call in calls]
    return items


def status_of(cut: bool) -> str:
    """Return the status of an item, or of a response. `cut`: the token limit ended it."""
    return "incomplete" if cut else "completed"


def text_part(text: str, scores: Sequence[Score]) -> dict[str, Any]:
    """The part of a message that has its text."""
    logprobs: list[msgspec.Struct] = [scored_token(score) for score in scores]
    return {"type": "output_text", "annotations": [], "logprobs": logprobs, "text": text}


def message_item(identity: str, text: str, status: str, scores: Sequence[Score] = ()) -> dict[str, Any]:
    """A message of the assistant."""
    content = [text_part(text, scores)]
    return {"id": identity, "type": "message", "status": status, "content": content, "role": "assistant"}


def reasoning_item(identity: str, text: str, *, summarizes: bool) -> dict[str, Any]:
    """The reasoning of the model. `summarizes`: the client reads it as a summary."""
    part = reasoning_part(text, summarizes=summarizes)
    summary, content = ([part], []) if summarizes else ([], [part])
    return {"id": identity, "type": "reasoning", "summary": summary, "content": content, "encrypted_content": None}


def reasoning_part(text: str, *, summarizes: bool) -> dict[str, str]:
    """The part of a reasoning item that has its text."""
    return {"type": "summary_text" if summarizes else "reasoning_text", "text": text}


def call_item(identity: str, call: ToolCall, status: str, tools: SentTools) -> dict[str, Any]:
    """A call of a function, or of a custom tool."""
    sent = tools.get(call.name, SentTool(call.name))
    item = {
        "id": identity,
        "type": "custom_tool_call" if sent.custom else "function_call",
        "status": status,
        "call_id": call.id,
        "name": sent.name,
    }
    if sent.namespace is not None:
        item["namespace"] = sent.namespace
    if sent.custom:
        item["input"] = custom_input(call.arguments)
    else:
        item["arguments"] = call.arguments
    return item


def custom_input(arguments: str) -> str:
    """Return the text for a custom tool: its parameter `input`, or all arguments if the model wrote something else."""
    try:
        found = decode_bounded(arguments.encode("utf-8", "surrogatepass"))["input"]
    except (JsonRefused, LookupError, TypeError):
        return arguments
    return found if isinstance(found, str) else arguments
