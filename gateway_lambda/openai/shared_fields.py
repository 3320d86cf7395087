"""The fields that chat and legacy completions share (docs/translation.md#fields)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway_lambda.errors import RequestError
from gateway_lambda.generation.field_rows import OtherFields, Row
from gateway_lambda.generation.fields import boolean, integer, mapping
from gateway_lambda.generation.request import GenerationRequest
from gateway_lambda.generation.sampling_fields import SAMPLING_ROWS


def stream_options_alone() -> RequestError:
    """Return the error for `stream_options` without `stream`."""
    return RequestError(
        "stream_options needs stream; set stream to true, or leave stream_options out",
        "invalid_value",
        param="stream_options",
    )


def _n(request: GenerationRequest, value: Any) -> None:
    request.n = integer(value, "n", 1, request.model.max_n)


def _stream_options(request: GenerationRequest, value: Any) -> None:
    include = mapping(value, "stream_options").get("include_usage")
    if include is not None:
        request.include_usage = boolean(include, "stream_options.include_usage")


SHARED_ROWS: Mapping[str, Row] = {**SAMPLING_ROWS, "n": _n, "stream_options": _stream_options}

OTHER_FIELDS = OtherFields(
    known=(
        *("model", "messages", "prompt", "user", "safety_identifier", "prompt_cache_key", "metadata", "store"),
        *("service_tier", "prediction", "verbosity", "tools", "tool_choice", "parallel_tool_calls", "response_format"),
        *("functions", "function_call"),
    ),
    spelled=(
        *(name for name in SHARED_ROWS if name != "n"),
        *("max_tokens", "max_completion_tokens", "logprobs", "top_logprobs", "best_of", "tools", "tool_choice"),
        *("parallel_tool_calls", "response_format", "functions", "function_call", "reasoning_effort"),
        *("chat_template_kwargs", "add_generation_prompt", "continue_final_message"),
    ),
)
