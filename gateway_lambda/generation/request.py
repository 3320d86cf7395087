"""The fields that chat and legacy completions share (docs/translation.md#fields), one row for each.

A row is a function that checks one value and writes it to the `Request`. JSON null is the same as absent and reaches no
row. Fields without a row are ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from gateway_lambda.errors import Header, RequestError, invalid_value
from gateway_lambda.generation.fields import boolean, integer, mapping, number, stop_sequences
from gateway_lambda.generation.other_fields import Spelling, cannot_be_served
from gateway_lambda.registry.record import Model
from gateway_lambda.tools.call_parser import CallParser

# The ranges of the upstream's own types. A value beyond them would fail there, with its parser's message.
_INT32 = 1 << 31
_INT64 = 1 << 63
MAX_TOKENS = (1 << 32) - 1


class Request(msgspec.Struct):
    """One checked request. It is filled while fields are read, and does not change after that."""

    model: Model
    stream: bool = False
    include_usage: bool = False
    n: int = 1
    seed: int | None = None
    stop: list[str] = []
    """The client's stop strings, at most 32, without duplicates."""
    max_tokens: int | None = None
    """The client's limit of new tokens for each choice."""
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    typical_p: float | None = None
    frequency_penalty: float | None = None
    repetition_penalty: float | None = None
    watermark: bool = False
    truncate: int | None = None
    """How many tokens of the prompt's end the upstream keeps."""
    logprobs: bool = False
    top_logprobs: int = 0
    grammar: dict[str, Any] | None = None
    """In the form of `/generate`: `type` and `value`."""
    grammar_param: str = ""
    """The field that the grammar comes from."""
    dropped: list[str] = []
    """Unsupported parameters that were ignored, because the record says `unsupported_params: drop`."""

    def parser(self) -> CallParser | None:
        """Return a new parser for one choice, if the gateway looks for calls of tools in its text."""
        return None

    def unsupported(self, param: str, remedy: str) -> None:
        """Refuse a parameter that is not supported, or note that it is ignored."""
        if self.model.unsupported_params == "drop":
            self.dropped.append(param)
        else:
            raise RequestError(f"{param} is not supported here: {remedy}", "unsupported_parameter", param=param)


def dropped_header(request: Request) -> list[Header]:
    """Return the header that names the ignored parameters, if there are any."""
    return [(b"x-gateway-dropped-params", ", ".join(request.dropped).encode())] if request.dropped else []


_MOST_FIELDS = 200
"""Above that, unknown fields are not looked at, so that their number costs nothing."""
Row = Callable[[Any, Any], None]


def read_fields(request: Request, body: Mapping[str, Any], rows: Mapping[str, Row]) -> None:
    """Read every field of `body` that has a row. Raises `RequestError` at the first wrong field."""
    for name, value in body.items():
        if value is not None:
            row = rows.get(name)
            if row is not None:
                row(request, value)
            elif name not in KNOWN and len(body) <= _MOST_FIELDS:
                _check_unknown(request, name, value)
    if request.stream or body.get("stream_options") is None:
        return
    raise RequestError(
        "stream_options needs stream; set stream to true, or leave stream_options out",
        "invalid_value",
        param="stream_options",
    )


def limit_of_tokens(value: Any, param: str) -> int | None:
    """Return the limit of a client. -1 means no limit."""
    return None if type(value) is int and value == -1 else integer(value, param, 1, MAX_TOKENS)


def _check_unknown(request: Request, name: str, value: Any) -> None:
    """Refuse a field without a row that would change the answer, or whose name looks like a mistake."""
    if cannot_be_served(name, value):
        request.unsupported(name, "the upstream does not have it; leave it out")
    elif (meant := _SPELLING.meant(name)) is not None:
        request.unsupported(name, f"there is no such field; use {meant}, or leave it out")


def _temperature(request: Request, value: Any) -> None:
    request.temperature = number(value, "temperature", 0, 2)


def _top_p(request: Request, value: Any) -> None:
    request.top_p = number(value, "top_p", 0, 1)


def _seed(request: Request, value: Any) -> None:
    request.seed = integer(value, "seed", -_INT64, _INT64 - 1)


def _stop(request: Request, value: Any) -> None:
    request.stop = stop_sequences(value, "stop")


def _n(request: Request, value: Any) -> None:
    request.n = integer(value, "n", 1, request.model.max_n)


def _stream(request: Request, value: Any) -> None:
    request.stream = boolean(value, "stream")


def _stream_options(request: Request, value: Any) -> None:
    include = mapping(value, "stream_options").get("include_usage")
    if include is not None:
        request.include_usage = boolean(include, "stream_options.include_usage")


def _frequency_penalty(request: Request, value: Any) -> None:
    request.frequency_penalty = number(value, "frequency_penalty", -2, 2) or None


def _presence_penalty(request: Request, value: Any) -> None:
    if number(value, "presence_penalty", -2, 2):
        request.unsupported(
            "presence_penalty", "the upstream does not have it; use frequency_penalty, which is similar"
        )


def _logit_bias(request: Request, value: Any) -> None:
    if any(each != 0 for each in mapping(value, "logit_bias").values()):
        request.unsupported("logit_bias", "the upstream cannot do this; leave it out")


def _top_k(request: Request, value: Any) -> None:
    request.top_k = integer(value, "top_k", -1, _INT32 - 1)
    if request.top_k < 1:
        request.top_k = None


def _repetition_penalty(request: Request, value: Any) -> None:
    found = number(value, "repetition_penalty", 0, 1e6)
    if not found:
        raise invalid_value("repetition_penalty", value, "a number above 0")
    request.repetition_penalty = None if found == 1 else found


def _typical_p(request: Request, value: Any) -> None:
    found = number(value, "typical_p", 0, 1)
    if found in (0, 1):
        raise invalid_value("typical_p", value, "a number above 0 and below 1")
    request.typical_p = found


def _watermark(request: Request, value: Any) -> None:
    request.watermark = boolean(value, "watermark")


def _truncate(request: Request, value: Any) -> None:
    request.truncate = integer(value, "truncate", 1, _INT64 - 1)


SHARED_ROWS: Mapping[str, Row] = {
    "temperature": _temperature,
    "top_p": _top_p,
    "seed": _seed,
    "stop": _stop,
    "n": _n,
    "stream": _stream,
    "stream_options": _stream_options,
    "frequency_penalty": _frequency_penalty,
    "presence_penalty": _presence_penalty,
    "logit_bias": _logit_bias,
    "top_k": _top_k,
    "repetition_penalty": _repetition_penalty,
    "typical_p": _typical_p,
    "watermark": _watermark,
    "truncate": _truncate,
}

KNOWN = frozenset(
    (
        *("model", "messages", "prompt", "user", "safety_identifier", "prompt_cache_key", "metadata", "store"),
        *("service_tier", "prediction", "verbosity", "tools", "tool_choice", "parallel_tool_calls", "response_format"),
    )
)
"""Fields of OpenAI that are read elsewhere, or change nothing."""
_SPELLING = Spelling(
    (
        *(name for name in SHARED_ROWS if name != "n"),
        *("max_tokens", "max_completion_tokens", "logprobs", "top_logprobs", "best_of", "tools", "tool_choice"),
        *("parallel_tool_calls", "response_format", "functions", "function_call", "reasoning_effort"),
        *("chat_template_kwargs", "add_generation_prompt", "continue_final_message"),
    )
)
