"""The fields of `POST /messages` (docs/translation.md#messages-of-anthropic)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway_lambda.anthropic.turns import is_prefill, read_turns
from gateway_lambda.errors import invalid_type, invalid_value
from gateway_lambda.generation.field_rows import OtherFields, Row, read_fields
from gateway_lambda.generation.fields import integer, mapping, sequence, stop_sequences, string
from gateway_lambda.generation.request import ChatRequest
from gateway_lambda.generation.sampling_fields import CHAT_ROWS, MAX_TOKENS, SAMPLING_ROWS
from gateway_lambda.generation.turns import Turns
from gateway_lambda.registry.record import Model

_THINKING = {"enabled": True, "adaptive": True, "disabled": False}


class MessagesRequest(ChatRequest):
    """`thinking`: whether the model should think, if the client says it."""

    thinking: bool | None = None
    turns: Turns = msgspec.field(default_factory=Turns)


def read_messages(body: Mapping[str, Any], model: Model, *, counts: bool = False) -> MessagesRequest:
    """Return the request in `body` to `model`. `counts`: it asks only how many tokens it has. Raises `RequestError`."""
    request = MessagesRequest(model=model, include_usage=True)
    read_fields(request, body, _ROWS, _OTHERS)
    if request.max_tokens is None and not counts:
        raise invalid_type("max_tokens", None, "an integer from 1")
    turns = request.turns = read_turns(body.get("system"), body.get("messages"))
    request.messages = turns.messages
    if is_prefill(turns):
        request.continue_final_message = True
    if request.thinking is not None:
        # Templates of Qwen and GLM read the first of the variables, those of DeepSeek and Granite the second.
        chosen = {"enable_thinking": request.thinking, "thinking": request.thinking}
        request.chat_template_kwargs = {**chosen, **(request.chat_template_kwargs or {})}
    return request


def _max_tokens(request: MessagesRequest, value: Any) -> None:
    request.max_tokens = integer(value, "max_tokens", 1, MAX_TOKENS)


def _stop_sequences(request: MessagesRequest, value: Any) -> None:
    request.stop = stop_sequences(value, "stop_sequences")


def _thinking(request: MessagesRequest, value: Any) -> None:
    kind = string(mapping(value, "thinking").get("type"), "thinking.type")
    if kind not in _THINKING:
        raise invalid_value("thinking.type", kind, f"one of {', '.join(_THINKING)}")
    request.thinking = _THINKING[kind]


def _output_config(request: MessagesRequest, value: Any) -> None:
    effort = mapping(value, "output_config").get("effort")
    if effort is not None:
        request.reasoning_effort = string(effort, "output_config.effort")


def _mcp_servers(request: MessagesRequest, value: Any) -> None:
    if sequence(value, "mcp_servers"):
        request.unsupported("mcp_servers", "the gateway calls no MCP servers; call their tools yourself, as tools")


def _container(request: MessagesRequest, value: Any) -> None:
    request.unsupported("container", "the gateway has no containers; leave it out")


def _thread(request: MessagesRequest, value: Any) -> None:
    request.unsupported("thread", "the gateway stores no messages; send the whole conversation as messages")


_ROWS: Mapping[str, Row] = {
    **CHAT_ROWS,
    **{name: row for name, row in SAMPLING_ROWS.items() if name != "stop"},
    "max_tokens": _max_tokens,
    "stop_sequences": _stop_sequences,
    "thinking": _thinking,
    "output_config": _output_config,
    "mcp_servers": _mcp_servers,
    "container": _container,
    "thread": _thread,
}

_OTHERS = OtherFields(
    known=(
        *("model", "messages", "system", "tools", "tool_choice", "output_format", "metadata", "service_tier", "betas"),
        *(
            "cache_control",
            "context_management",
            "diagnostics",
            "fallbacks",
            "inference_geo",
            "speed",
            "anthropic_version",
        ),
    ),
    spelled=(
        *("messages", "system", "tools", "tool_choice", "max_tokens", "stop_sequences", "thinking", "output_config"),
        *(name for name in SAMPLING_ROWS if name != "stop"),
        "chat_template_kwargs",
    ),
    others={
        "stop": "stop_sequences",
        "max_completion_tokens": "max_tokens",
        "response_format": "output_config.format",
        "reasoning_effort": "output_config.effort",
    },
)
