"""The fields of `POST /responses` (docs/translation.md#responses)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway_lambda.errors import invalid_value
from gateway_lambda.generation.field_rows import OtherFields, Row, read_fields
from gateway_lambda.generation.fields import boolean, integer, mapping, sequence, string
from gateway_lambda.generation.request import ChatRequest
from gateway_lambda.generation.sampling_fields import CHAT_ROWS, SAMPLING_ROWS, limit_of_tokens
from gateway_lambda.generation.turns import Turns
from gateway_lambda.registry.record import Model
from gateway_lambda.responses.input_items import read_input

_STATELESS = "the gateway stores no responses; send the whole conversation as input, and leave it out"
_LOGPROBS = "message.output_text.logprobs"


class ResponseRequest(ChatRequest):
    """`summarizes`: the client asks for a summary of the reasoning, and gets the reasoning there."""

    summarizes: bool = False
    turns: Turns = msgspec.field(default_factory=Turns)


def read_response(body: Mapping[str, Any], model: Model) -> ResponseRequest:
    """Return the request in `body` to `model`. Raises `RequestError`."""
    request = ResponseRequest(model=model, include_usage=True)
    read_fields(request, body, _ROWS, _OTHERS)
    turns = request.turns = read_input(body.get("instructions"), body.get("input"))
    request.messages = turns.messages
    return request


def _max_output_tokens(request: ResponseRequest, value: Any) -> None:
    request.max_tokens = limit_of_tokens(value, "max_output_tokens")


def _n(request: ResponseRequest, value: Any) -> None:
    if integer(value, "n", 1) > 1:
        request.unsupported("n", "a response has one answer; send several requests")


def _top_logprobs(request: ResponseRequest, value: Any) -> None:
    request.top_logprobs = integer(value, "top_logprobs", 0, 20)
    request.logprobs = request.logprobs or request.top_logprobs > 0


def _include(request: ResponseRequest, value: Any) -> None:
    """The others belong to tools of OpenAI's servers, or to reasoning that is encrypted there."""
    for name in sequence(value, "include"):
        if string(name, "include") == _LOGPROBS:
            request.logprobs = True


def _reasoning(request: ResponseRequest, value: Any) -> None:
    asked = mapping(value, "reasoning")
    if asked.get("effort") is not None:
        request.reasoning_effort = string(asked["effort"], "reasoning.effort")
    for key in ("summary", "generate_summary"):
        if asked.get(key) is not None:
            request.summarizes = string(asked[key], f"reasoning.{key}") != "none"


def _truncation(request: ResponseRequest, value: Any) -> None:
    if string(value, "truncation") == "auto":
        request.unsupported("truncation", "the gateway drops no items of the input; use 'disabled', and send fewer")
    elif value != "disabled":
        raise invalid_value("truncation", value, "'disabled'")


def _background(request: ResponseRequest, value: Any) -> None:
    if boolean(value, "background"):
        request.unsupported("background", "the gateway stores no responses; use stream for long answers")


def _previous_response_id(request: ResponseRequest, value: Any) -> None:
    request.unsupported("previous_response_id", _STATELESS)


def _conversation(request: ResponseRequest, value: Any) -> None:
    request.unsupported("conversation", _STATELESS)


def _prompt(request: ResponseRequest, value: Any) -> None:
    request.unsupported("prompt", "the gateway stores no prompts; send instructions and input")


def _moderation(request: ResponseRequest, value: Any) -> None:
    request.unsupported("moderation", "the gateway does not moderate; leave it out")


def _metadata(request: ResponseRequest, value: Any) -> None:
    mapping(value, "metadata")


_ROWS: Mapping[str, Row] = {
    **CHAT_ROWS,
    **SAMPLING_ROWS,
    "n": _n,
    "max_output_tokens": _max_output_tokens,
    "top_logprobs": _top_logprobs,
    "include": _include,
    "reasoning": _reasoning,
    "truncation": _truncation,
    "background": _background,
    "previous_response_id": _previous_response_id,
    "conversation": _conversation,
    "prompt": _prompt,
    "moderation": _moderation,
    "metadata": _metadata,
}

_OTHERS = OtherFields(
    known=(
        *("model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "text", "store", "user"),
        *("safety_identifier", "prompt_cache_key", "prompt_cache_retention", "service_tier", "stream_options"),
        *("max_tool_calls", "client_metadata"),
    ),
    spelled=(
        *("input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "text", "metadata", "conversation"),
        *(name for name in SAMPLING_ROWS if name != "stop"),
        *("max_output_tokens", "top_logprobs", "include", "reasoning", "truncation", "background"),
        *("previous_response_id", "chat_template_kwargs"),
    ),
    others={
        "messages": "input",
        "max_tokens": "max_output_tokens",
        "max_completion_tokens": "max_output_tokens",
        "response_format": "text.format",
        "reasoning_effort": "reasoning.effort",
    },
)
