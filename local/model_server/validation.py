"""What a request can ask for: TGI's checks in TGI's order and words (router/src/validation.rs). What the stand-in
cannot do is refused in the same way."""

from __future__ import annotations

import math
import random
import struct
from dataclasses import dataclass

from msgspec import UnsetType

from local.model_server.errors import ValidationError
from local.model_server.grammar import Guide, write_guide
from local.model_server.requests import GenerateRequest, Parameters
from local.model_server.sampling import Sampling

_RANDOM = random.SystemRandom()
_LARGEST_SEED = 2**64 - 1
_LARGEST = 3.4028234663852886e38


@dataclass(frozen=True, kw_only=True)
class Limits:
    """TGI's limits with TGI's defaults; those on tokens are what the model server's slots hold."""

    max_total_tokens: int
    max_input_tokens: int
    max_unasked_tokens: int
    """Tokens of an answer to a request that says that it has no limit."""
    max_concurrent_requests: int = 128
    max_best_of: int = 2
    max_stop_sequences: int = 4
    max_top_n_tokens: int = 5
    payload_limit: int = 2_000_000
    """Bytes of a body."""


@dataclass(frozen=True, kw_only=True)
class ValidRequest:
    """A checked request, without the tokens of its prompt."""

    inputs: str
    sampling: Sampling
    stop: tuple[str, ...]
    max_new_tokens: int | UnsetType | None
    """`None`: no limit. `UNSET`: the request does not say it."""
    truncate: int | None
    top_n_tokens: int
    decoder_input_details: bool
    guide: Guide | None


def validate(request: GenerateRequest, limits: Limits) -> ValidRequest:
    """Check everything that can be checked before the prompt is tokenized.

    Raises:
        ValidationError: the first rule that is broken.
    """
    given = request.parameters
    best_of = 1 if given.best_of is None else given.best_of
    filters = (given.temperature, given.top_k, given.top_p, given.typical_p)
    if best_of > 1 and not (given.do_sample or any(one is not None for one in filters)):
        raise ValidationError("you must use sampling when `best_of` is > 1")
    sampling = _sampling(given)
    if given.max_new_tokens == 0:
        raise ValidationError("`max_new_tokens` must be strictly positive")
    if len(given.stop) > limits.max_stop_sequences:
        raise ValidationError(
            f"`stop` supports up to {limits.max_stop_sequences} stop sequences. Given: {len(given.stop)}"
        )
    if given.seed is not None and best_of > 1:
        raise ValidationError("`seed` must not be set when `best_of` > 1")
    if given.seed is not None and given.seed > _LARGEST_SEED:
        raise ValidationError(f"`seed` must be <= {_LARGEST_SEED}. Given: {given.seed}")
    if given.top_n_tokens is not None and given.top_n_tokens > limits.max_top_n_tokens:
        raise ValidationError(
            f"`top_n_tokens` must be >= 0 and <= {limits.max_top_n_tokens}. Given: {given.top_n_tokens}"
        )
    if not request.inputs:
        raise ValidationError("`inputs` cannot be empty")
    if given.truncate is not None and not 0 < given.truncate <= limits.max_input_tokens:
        raise ValidationError(
            f"`truncate` must be strictly positive and less than {limits.max_input_tokens}. Given: {given.truncate}"
        )
    _refuse_impossible(given)
    return ValidRequest(
        inputs=request.inputs,
        sampling=sampling,
        stop=given.stop,
        max_new_tokens=given.max_new_tokens,
        truncate=given.truncate,
        top_n_tokens=given.top_n_tokens or 0,
        decoder_input_details=given.decoder_input_details,
        guide=None if given.grammar is None else write_guide(given.grammar),
    )


def check_lengths(input_length: int, max_new_tokens: int, limits: Limits) -> None:
    """Check that the prompt and the first piece of the answer fit.

    Raises:
        ValidationError: they do not.
    """
    if input_length + max_new_tokens > limits.max_total_tokens:
        raise ValidationError(
            f"`inputs` tokens + `max_new_tokens` must be <= {limits.max_total_tokens}. "
            f"Given: {input_length} `inputs` tokens and {max_new_tokens} `max_new_tokens`"
        )
    if input_length > limits.max_input_tokens:
        raise ValidationError(f"`inputs` must have less than {limits.max_input_tokens} tokens. Given: {input_length}")


def check_best_of(best_of: int, limits: Limits) -> None:
    """Check `best_of` of a request that asks for several answers.

    Raises:
        ValidationError: too many.
    """
    if best_of > limits.max_best_of:
        raise ValidationError(f"`best_of` must be > 0 and <= {limits.max_best_of}. Given: {best_of}")


def check_streamed(parameters: Parameters) -> None:
    """Check that a stream does not ask for what streams do not have.

    Raises:
        ValidationError: it was asked for.
    """
    if parameters.best_of not in (None, 1):
        raise ValidationError("`best_of` != 1 is not supported when streaming tokens")
    if parameters.decoder_input_details:
        raise ValidationError("`decoder_input_details` == true is not supported when streaming tokens")


def _sampling(given: Parameters) -> Sampling:
    temperature = _single(given.temperature, 1.0)
    if temperature <= 0.0:
        raise ValidationError("`temperature` must be strictly positive")
    repetition_penalty = _single(given.repetition_penalty, 1.0)
    if repetition_penalty <= 0.0:
        raise ValidationError("`repetition_penalty` must be strictly positive")
    frequency_penalty = _single(given.frequency_penalty, 0.0)
    if not -2.0 <= frequency_penalty <= 2.0:
        raise ValidationError("`frequency_penalty` must be >= -2.0 and <= 2.0")
    top_p = _single(given.top_p, 1.0)
    if given.top_p is not None and not 0.0 < top_p < 1.0:
        raise ValidationError("`top_p` must be > 0.0 and < 1.0")
    typical_p = _single(given.typical_p, 1.0)
    if given.typical_p is not None and not 0.0 < typical_p < 1.0:
        raise ValidationError("`typical_p` must be > 0.0 and < 1.0")
    if given.top_k is not None and given.top_k <= 0:
        raise ValidationError("`top_k` must be strictly positive")
    return Sampling(
        temperature=temperature,
        top_k=given.top_k or 0,
        top_p=top_p,
        typical_p=typical_p,
        repetition_penalty=repetition_penalty,
        frequency_penalty=frequency_penalty,
        do_sample=given.do_sample,
        seed=_RANDOM.getrandbits(64) if given.seed is None else given.seed,
    )


def _refuse_impossible(given: Parameters) -> None:
    if given.watermark:
        raise ValidationError("`watermark` is not supported: llama.cpp, which runs the stand-in model, has none")
    if given.adapter_id:
        raise ValidationError(
            f"`adapter_id` must be absent: the stand-in model has no LoRA adapters. Given: {given.adapter_id}"
        )


def _single(value: float | None, neutral: float) -> float:
    """Return the number in 32 bits, as TGI reads it: 0.99999999 is 1, and larger numbers become the largest one."""
    if value is None:
        return neutral
    try:
        return struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return math.copysign(_LARGEST, value)
