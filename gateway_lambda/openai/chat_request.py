"""The fields of `/chat/completions` alone (docs/translation.md#fields)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway_lambda.errors import RequestError, invalid_type, invalid_value
from gateway_lambda.generation.field_rows import Row, read_fields
from gateway_lambda.generation.fields import boolean, integer, sequence, string
from gateway_lambda.generation.request import ChatRequest
from gateway_lambda.generation.sampling_fields import CHAT_ROWS, limit_of_tokens
from gateway_lambda.openai.functions import has_functions
from gateway_lambda.openai.shared_fields import OTHER_FIELDS, SHARED_ROWS, stream_options_alone
from gateway_lambda.registry.record import Model


class ChatCompletionRequest(ChatRequest):
    """Older clients send `max_tokens`, newer ones `max_completion_tokens`."""

    max_completion_tokens: int | None = None
    functions: bool = False
    """The client uses the deprecated `functions`, and gets a `function_call` (openai/functions.py)."""


def read_chat(body: Mapping[str, Any], model: Model) -> ChatCompletionRequest:
    """Return the request in `body` to `model`. Raises `RequestError`."""
    request = ChatCompletionRequest(model=model)
    read_fields(request, body, _ROWS, OTHER_FIELDS)
    if not request.stream and body.get("stream_options") is not None:
        raise stream_options_alone()
    if request.messages is None:
        raise invalid_type("messages", None, "a list of messages")
    if request.top_logprobs and not request.logprobs:
        raise RequestError(
            "top_logprobs needs logprobs; set logprobs to true, or leave top_logprobs out",
            "invalid_value",
            param="top_logprobs",
        )
    request.max_tokens = _limit(request)
    request.functions = has_functions(body)
    if request.add_generation_prompt and request.continue_final_message:
        raise RequestError(
            "add_generation_prompt and continue_final_message are both true; set only one of them",
            "invalid_value",
            param="continue_final_message",
        )
    return request


def _limit(request: ChatCompletionRequest) -> int | None:
    wanted, older = request.max_completion_tokens, request.max_tokens
    if wanted is not None and older is not None and wanted != older:
        raise RequestError(
            f"max_tokens is {older}, but max_completion_tokens is {wanted}; send one, or the same value in both",
            "invalid_value",
            param="max_tokens",
        )
    return wanted or older


def _messages(request: ChatRequest, value: Any) -> None:
    request.messages = value


def _max_tokens(request: ChatRequest, value: Any) -> None:
    request.max_tokens = limit_of_tokens(value, "max_tokens")


def _max_completion_tokens(request: ChatCompletionRequest, value: Any) -> None:
    request.max_completion_tokens = limit_of_tokens(value, "max_completion_tokens")


def _logprobs(request: ChatRequest, value: Any) -> None:
    request.logprobs = boolean(value, "logprobs")


def _top_logprobs(request: ChatRequest, value: Any) -> None:
    request.top_logprobs = integer(value, "top_logprobs", 0, 20)


def _modalities(request: ChatRequest, value: Any) -> None:
    for kind in sequence(value, "modalities"):
        if kind == "audio":
            request.unsupported("modalities", "this model writes only text; use ['text']")
        elif kind != "text":
            raise invalid_value("modalities", kind, "'text'")


def _audio(request: ChatRequest, value: Any) -> None:
    request.unsupported("audio", "this model writes only text; leave it out")


def _web_search_options(request: ChatRequest, value: Any) -> None:
    request.unsupported("web_search_options", "the gateway does not search the web; leave it out")


def _moderation(request: ChatRequest, value: Any) -> None:
    request.unsupported("moderation", "the gateway does not moderate; leave it out")


def _chat_template(request: ChatRequest, value: Any) -> None:
    request.unsupported("chat_template", "the service has a chat template; leave it out")


def _reasoning_effort(request: ChatRequest, value: Any) -> None:
    request.reasoning_effort = string(value, "reasoning_effort")


def _add_generation_prompt(request: ChatRequest, value: Any) -> None:
    request.add_generation_prompt = boolean(value, "add_generation_prompt")


def _continue_final_message(request: ChatRequest, value: Any) -> None:
    request.continue_final_message = boolean(value, "continue_final_message")


_ROWS: Mapping[str, Row] = {
    **CHAT_ROWS,
    **SHARED_ROWS,
    "messages": _messages,
    "max_tokens": _max_tokens,
    "max_completion_tokens": _max_completion_tokens,
    "logprobs": _logprobs,
    "top_logprobs": _top_logprobs,
    "modalities": _modalities,
    "audio": _audio,
    "web_search_options": _web_search_options,
    "moderation": _moderation,
    "chat_template": _chat_template,
    "reasoning_effort": _reasoning_effort,
    "add_generation_prompt": _add_generation_prompt,
    "continue_final_message": _continue_final_message,
}
