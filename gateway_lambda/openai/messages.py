"""An assistant's text and calls in OpenAI's form: a whole message, and the `delta` of a chunk.

OpenAI has no field for reasoning. `reasoning_content` is the name at DeepSeek, which most clients read.
"""

from __future__ import annotations

from typing import Any

from gateway_lambda.generation.choice import TextAndCalls, ToolCall
from gateway_lambda.generation.deltas import CallArguments, CallStart, Content, Delta, Reasoning


def assistant_message(called: TextAndCalls) -> dict[str, Any]:
    """Return the assistant message, with `tool_calls` only if there are calls."""
    message: dict[str, Any] = {"role": "assistant", "content": called.content, "refusal": None}
    if called.calls:
        message["tool_calls"] = [_tool_call(call) for call in called.calls]
    return message


def stream_delta(delta: Delta) -> dict[str, Any]:
    """Return the `delta` object of a chunk of a stream."""
    match delta:
        case Content(text):
            return {"content": text}
        case Reasoning(text):
            return {"reasoning_content": text}
        case CallStart(index, id, name):
            function = {"name": name, "arguments": ""}
            return {"tool_calls": [{"index": index, "id": id, "type": "function", "function": function}]}
        case CallArguments(index, text):
            return {"tool_calls": [{"index": index, "function": {"arguments": text}}]}


def _tool_call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
