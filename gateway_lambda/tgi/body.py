"""The canonical body of `/generate` and `/generate_stream` (docs/translation.md#the-body-for-tgi)."""

from __future__ import annotations

import struct
from typing import Any

import msgspec

from gateway_lambda.generation.capabilities import Capabilities
from gateway_lambda.generation.request import GenerationRequest

_GREEDY_BELOW = 0.01
"""The lowest temperature. A smaller one overflows in half precision on the upstream."""
_UINT64 = 1 << 64

_ENCODER = msgspec.json.Encoder()


def encode_body(
    request: GenerationRequest,
    prompt: str,
    limit: int | None,
    stop_strings: list[str],
    capabilities: Capabilities,
    choice: int,
) -> bytes:
    """Return the body for choice number `choice`.

    `limit`: new tokens. None is sent as null, with which every version goes on to the end of the context.
    `stop_strings`: the model's own ends.

    Keys have a fixed order, and optional keys are there only with a value, so that equal requests have equal bytes.
    """
    parameters: dict[str, Any] = {
        "do_sample": True,
        "max_new_tokens": limit,
        "stop": list(dict.fromkeys((*request.stop, *stop_strings)))[: capabilities.max_stop_sequences],
        "details": True,
        "return_full_text": False,
        "decoder_input_details": capabilities.wants_prefill and not request.stream,
    }
    _add_sampling(parameters, request)
    if request.seed is not None:
        parameters["seed"] = (request.seed + choice) % _UINT64
    if request.frequency_penalty is not None:
        parameters["frequency_penalty"] = request.frequency_penalty
    if request.repetition_penalty is not None:
        parameters["repetition_penalty"] = request.repetition_penalty
    if request.watermark:
        parameters["watermark"] = True
    if request.truncate is not None:
        parameters["truncate"] = request.truncate
    if request.top_logprobs:
        parameters["top_n_tokens"] = min(request.top_logprobs, request.model.limits.max_top_n_tokens)
    if request.grammar is not None:
        parameters["grammar"] = request.grammar
    if request.model.adapter_id is not None:
        parameters["adapter_id"] = request.model.adapter_id
    return _ENCODER.encode({"inputs": prompt, "parameters": parameters})


def _add_sampling(parameters: dict[str, Any], request: GenerationRequest) -> None:
    temperature, top_p = request.temperature, request.top_p
    rounded = 1.0 if top_p is None else _as_float32(top_p)
    if rounded == 0 or (temperature is not None and temperature < _GREEDY_BELOW):
        parameters["do_sample"] = False
        return
    if temperature is not None and temperature != 1:
        parameters["temperature"] = temperature
    if rounded < 1:
        parameters["top_p"] = top_p
    if request.top_k is not None:
        parameters["top_k"] = request.top_k
    if request.typical_p is not None:
        parameters["typical_p"] = request.typical_p


def _as_float32(value: float) -> float:
    """What the upstream makes of it: 0.99999999 becomes 1.0 there, 1e-46 becomes 0."""
    return struct.unpack("f", struct.pack("f", value))[0]
