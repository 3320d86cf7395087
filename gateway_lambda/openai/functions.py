"""OpenAI's deprecated `functions` and `function_call`, which older clients send in place of tools.

They are read as tools and a tool choice. The answer has a `function_call`, and at most one call. Errors name the
fields that the client sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from gateway_lambda.errors import RequestError, invalid_value
from gateway_lambda.generation.capabilities import Capabilities
from gateway_lambda.generation.choice import TextAndCalls
from gateway_lambda.generation.deltas import CallArguments, CallStart, Content, Delta, Reasoning
from gateway_lambda.generation.fields import sequence
from gateway_lambda.generation.sent_names import SentNames
from gateway_lambda.registry.record import Model
from gateway_lambda.tools.request import ToolUse, read_tools

_CHOICES = "'none', 'auto' or {\"name\": …}"
_SENT = SentNames(
    (r"\btools\[(\d+)\]\.function\b", r"functions[\1]"),
    (r"\btools\[(\d+)\]", r"functions[\1]"),
    (r"\btool_choice\.function\b", "function_call"),
    (r"\btool_choice\b", "function_call"),
    (r"\btools\b", "functions"),
)


def has_functions(body: Mapping[str, Any]) -> bool:
    """Return whether the request has functions, or a choice among them."""
    return bool(body.get("functions")) or body.get("function_call") not in (None, "none", "auto")


def read_functions(
    body: Mapping[str, Any],
    model: Model,
    capabilities: Capabilities,
    answer: dict[str, Any] | None = None,
    answer_param: str = "",
) -> ToolUse:
    """Return what the request asks for, as `read_tools` does. Raises `RequestError`."""
    for name in ("tools", "tool_choice"):
        if body.get(name) is not None:
            message = f"functions and {name} exclude each other; use only tools and tool_choice, the newer form"
            raise RequestError(message, "invalid_value", param="functions")
    given = body.get("functions")
    functions = [] if given is None else sequence(given, "functions")
    tools: dict[str, Any] = {
        "tools": [{"type": "function", "function": function} for function in functions],
        "tool_choice": _tool_choice(body.get("function_call")),
        "parallel_tool_calls": False,
    }
    try:
        return read_tools(tools, model, capabilities, answer, answer_param)
    except RequestError as error:
        raise _SENT.error(error) from None


def function_message(called: TextAndCalls) -> dict[str, Any]:
    """Return the assistant message of an answer, with a `function_call` if it calls one."""
    message: dict[str, Any] = {"role": "assistant", "content": called.content, "refusal": None}
    for call in called.calls[:1]:
        message["function_call"] = {"name": call.name, "arguments": call.arguments}
    return message


def function_delta(delta: Delta) -> dict[str, Any]:
    """Return the `delta` object of a chunk of a stream."""
    match delta:
        case Content(text):
            return {"content": text}
        case Reasoning(text):
            return {"reasoning_content": text}
        case CallStart(_, _, name):
            return {"function_call": {"name": name, "arguments": ""}}
        case CallArguments(_, text):
            return {"function_call": {"arguments": text}}


def _tool_choice(given: object) -> object:
    if given is None or given in ("none", "auto"):
        return given
    if not isinstance(given, dict):
        raise invalid_value("function_call", given, _CHOICES)
    return {"type": "function", "function": {"name": cast("dict[str, Any]", given).get("name")}}
