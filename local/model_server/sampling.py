"""How the next token is chosen: TGI's parameters in llama.cpp's words.

It differs from TGI in four ways. If a request sets no filter, unlikely tokens are cut off as llama.cpp does by default,
because a model this small writes nonsense with them. The random numbers come from llama.cpp, so a seed gives another
text than TGI gives, but always the same one. `frequency_penalty` subtracts penalty x count, as OpenAI defines it; TGI
divides the count by the length. Log-probabilities are those of the model, before temperature, filters and penalties.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.model_server.llama_settings import CONTEXT

_NO_SEED = 0xFFFFFFFF
"""llama.cpp's seed that means: choose one."""
_TOP_K, _MIN_P = 40, 0.05
"""llama.cpp's own defaults: only the 40 likeliest tokens, and none that is 20 times less likely than the likeliest."""


@dataclass(frozen=True)
class Sampling:
    """A request's parameters, with TGI's neutral values where it says nothing."""

    temperature: float
    top_k: int
    """0: all."""
    top_p: float
    typical_p: float
    repetition_penalty: float
    frequency_penalty: float
    do_sample: bool
    seed: int
    """64 bits, the request's or a random one."""

    @property
    def random(self) -> bool:
        """Whether tokens are drawn; else the likeliest is taken. As in TGI any of the filters turns drawing on."""
        return self.do_sample or self.temperature != 1.0 or self.filtered

    @property
    def filtered(self) -> bool:
        """Whether the request says which tokens are too unlikely to be drawn."""
        return self.top_k != 0 or self.top_p < 1.0 or self.typical_p < 1.0


def llama_parameters(sampling: Sampling) -> Mapping[str, Any]:
    """Return parameters of llama.cpp, with the request's filters in TGI's order. No default of llama.cpp applies."""
    chain = ["penalties", "temperature"]
    if sampling.filtered:
        chain = [*chain, "top_k", "top_p", "typ_p"]
    elif sampling.random:
        chain = ["penalties", "top_k", "min_p", "temperature"]
    return {
        "samplers": chain,
        "temperature": sampling.temperature if sampling.random else 0.0,
        "top_k": sampling.top_k if sampling.filtered else _TOP_K,
        "top_p": sampling.top_p,
        "typical_p": sampling.typical_p,
        "min_p": _MIN_P,
        "repeat_penalty": sampling.repetition_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "presence_penalty": 0.0,
        "repeat_last_n": CONTEXT,
    }


def step_seed(seed: int, step: int) -> int:
    """llama.cpp's 32-bit seed for the `step`-th token of a generation with a 64-bit seed."""
    digest = hashlib.blake2b(seed.to_bytes(8, "little") + step.to_bytes(8, "little"), digest_size=4).digest()
    return min(int.from_bytes(digest, "little"), _NO_SEED - 1)
