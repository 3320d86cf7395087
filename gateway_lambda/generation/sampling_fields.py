"""The fields that say how tokens are chosen, which dialects share (docs/translation.md#fields), one row for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway_lambda.errors import invalid_value
from gateway_lambda.generation.field_rows import Row
from gateway_lambda.generation.fields import boolean, integer, mapping, number, stop_sequences
from gateway_lambda.generation.request import ChatRequest, GenerationRequest

# The ranges of the upstream's own types. A value beyond them would fail there, with its parser's message.
_INT32 = 1 << 31
_INT64 = 1 << 63
MAX_TOKENS = (1 << 32) - 1


def limit_of_tokens(value: Any, param: str) -> int | None:
    """Return the limit of a client. -1 means no limit."""
    return None if type(value) is int and value == -1 else integer(value, param, 1, MAX_TOKENS)


def _temperature(request: GenerationRequest, value: Any) -> None:
    request.temperature = number(value, "temperature", 0, 2)


def _top_p(request: GenerationRequest, value: Any) -> None:
    request.top_p = number(value, "top_p", 0, 1)


def _seed(request: GenerationRequest, value: Any) -> None:
    request.seed = integer(value, "seed", -_INT64, _INT64 - 1)


def _stop(request: GenerationRequest, value: Any) -> None:
    request.stop = stop_sequences(value, "stop")


def _stream(request: GenerationRequest, value: Any) -> None:
    request.stream = boolean(value, "stream")


def _frequency_penalty(request: GenerationRequest, value: Any) -> None:
    request.frequency_penalty = number(value, "frequency_penalty", -2, 2) or None


def _presence_penalty(request: GenerationRequest, value: Any) -> None:
    if number(value, "presence_penalty", -2, 2):
        request.unsupported(
            "presence_penalty", "the upstream does not have it; use frequency_penalty, which is similar"
        )


def _logit_bias(request: GenerationRequest, value: Any) -> None:
    if any(each != 0 for each in mapping(value, "logit_bias").values()):
        request.unsupported("logit_bias", "the upstream cannot do this; leave it out")


def _top_k(request: GenerationRequest, value: Any) -> None:
    request.top_k = integer(value, "top_k", -1, _INT32 - 1)
    if request.top_k < 1:
        request.top_k = None


def _repetition_penalty(request: GenerationRequest, value: Any) -> None:
    found = number(value, "repetition_penalty", 0, 1e6)
    if not found:
        raise invalid_value("repetition_penalty", value, "a number above 0")
    request.repetition_penalty = None if found == 1 else found


def _typical_p(request: GenerationRequest, value: Any) -> None:
    found = number(value, "typical_p", 0, 1)
    if not found:
        raise invalid_value("typical_p", value, "a number above 0")
    request.typical_p = None if found == 1 else found


def _watermark(request: GenerationRequest, value: Any) -> None:
    request.watermark = boolean(value, "watermark")


def _truncate(request: GenerationRequest, value: Any) -> None:
    request.truncate = integer(value, "truncate", 1, _INT64 - 1)


SAMPLING_ROWS: Mapping[str, Row] = {
    "temperature": _temperature,
    "top_p": _top_p,
    "seed": _seed,
    "stop": _stop,
    "stream": _stream,
    "frequency_penalty": _frequency_penalty,
    "presence_penalty": _presence_penalty,
    "logit_bias": _logit_bias,
    "top_k": _top_k,
    "repetition_penalty": _repetition_penalty,
    "typical_p": _typical_p,
    "watermark": _watermark,
    "truncate": _truncate,
}


def _chat_template_kwargs(request: ChatRequest, value: Any) -> None:
    request.chat_template_kwargs = mapping(value, "chat_template_kwargs")


CHAT_ROWS: Mapping[str, Row] = {"chat_template_kwargs": _chat_template_kwargs}
"""One more row, for chats, which every dialect has."""
