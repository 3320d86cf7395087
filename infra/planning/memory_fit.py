"""Whether a model fits onto the GPUs of an offer, and how many sequences its cache then holds.

It is an estimate. The weights and the cache of a token are exact. What a server needs beside them depends on its
version, its kernels and its options, so the result is a range: between the least and the most that servers were seen
to need (tests/planning/fit/outcomes.csv has the published numbers).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from infra.planning.architecture import Architecture
from infra.planning.kv_cache import number_bytes, sequence_bytes
from infra.planning.model_server import Loaded
from infra.planning.plan import Offer
from infra.planning.server_memory import Memory

GIB = 2**30

CERTAIN = 0.95
"""The part of the weights that surely lies on the GPUs: servers leave out parts of some repositories, for example the
layers that only predict several tokens (14 of DeepSeek-V3's 685 billion parameters)."""
LARGEST_SHARE = 0.95
"""The largest default share of the memory that a server may have in another version."""

_CARD = 0.985
"""The part of the memory in the catalog that a program is told: 22.0 of 22.35 GiB of an L4, 79.2 of 80 of an A100."""
_LEAST_ASIDE, _MOST_ASIDE, _MOST_ASIDE_SHARE = 0.4, 1.2, 0.08
"""GiB for CUDA, kernels, the values between layers and CUDA graphs on each GPU: at least, and at most, with a share of
the memory, because servers read longer prompts at once on larger GPUs. vLLM on an H100 needs 1 to 7.5 GiB."""
_TOGETHER_ASIDE = 2.1
"""GiB at most for what several GPUs exchange (NCCL)."""
_ALONE_ASIDE, _MOST_ALONE_SHARE = 0.3, 0.03
"""GiB for CUDA alone at least, and at most with this share of the memory, where the server keeps room for the values
between layers outside of its share."""
_MOST_WEIGHTS = 1.05
"""What weights take at most, with padding, as a multiple of their size."""
_AHEAD = 8192
"""Tokens that layers with a window keep at most beyond it, while a prompt is read in parts."""
_STEP = 1024

Verdict = Literal["fits", "close", "short", "never"]


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A model on the GPUs of an offer."""

    offer: Offer
    verdict: Verdict
    """`fits`: even if the server needs the most, a sequence of full length has room. `close`: only if it needs less.
    `short`: no such sequence has room. `never`: the weights alone are larger than the memory."""
    gpus: int
    """The number of GPUs that hold the model."""
    weights: float
    """GiB of weights on each of them."""
    memory: float
    """GiB that each of them has."""
    room: tuple[float, float]
    """GiB on each of them that remain for the cache, at least and at most; below zero: the weights have no room."""
    sequences: tuple[int, int]
    """The number of sequences of full length that have room, at least and at most."""
    longest: int | None = None
    """Tokens of the longest sequence that surely has room, in steps of 1024; `None`: less than a step."""


def model_fit(offer: Offer, loaded: Loaded, weights: float, architecture: Architecture, memory: Memory) -> Fit:
    """Return how a model fits onto an offer.

    Args:
        offer: the offer. It has at least as many GPUs as the server uses.
        loaded: the server and its options.
        weights: GiB of all weights, as the server loads them.
        architecture: the model.
        memory: how the server divides the memory.
    """
    limits = loaded.limits
    gpus = offer.gpu_count if loaded.gpus is None else loaded.gpus
    each = weights / gpus
    room = [_room(offer, gpus, each, memory, limits.share, most=most) for most in (True, False)]
    length = limits.length or architecture.length
    needed = [_sequence(architecture, length, loaded, gpus, most=most) for most in (True, False)]
    least, most = (max(0, math.floor(have / need)) for have, need in zip(room, needed, strict=True))
    share = limits.share or (LARGEST_SHARE if memory.share_of == "all" else 1.0)
    if each * CERTAIN > offer.usable_gpu_memory_gb * (share if memory.share_of == "all" else 1.0):
        verdict: Verdict = "never"
    else:
        verdict = "fits" if least else "close" if most else "short"
    return Fit(
        offer=offer,
        verdict=verdict,
        gpus=gpus,
        weights=each,
        memory=offer.usable_gpu_memory_gb,
        room=(room[0], room[1]),
        sequences=(least, most),
        longest=_longest(architecture, room[0], loaded, gpus),
    )


def _room(offer: Offer, gpus: int, weights: float, memory: Memory, share: float | None, *, most: bool) -> float:
    """Return the GiB of a GPU that remain for the cache, if the server needs the most or the least beside it."""
    card = offer.usable_gpu_memory_gb * _CARD
    part = (share or memory.default_share) * memory.of_share
    if memory.activations_outside:
        aside = _ALONE_ASIDE + (_MOST_ALONE_SHARE * card if most else 0)
    else:
        aside = _MOST_ASIDE + _MOST_ASIDE_SHARE * card if most else _LEAST_ASIDE
    if most:
        aside += (_MOST_WEIGHTS - 1) * weights + (_TOGETHER_ASIDE if gpus > 1 else 0)
    if memory.share_of == "free":
        return part * (card - weights - aside)
    return part * card - weights - aside


def _sequence(architecture: Architecture, length: int, loaded: Loaded, gpus: int, *, most: bool) -> float:
    """Return the GiB of a sequence on each GPU."""
    limits = loaded.limits
    tensor = max(1, gpus // limits.pipeline)
    size = sequence_bytes(
        architecture,
        length,
        number=number_bytes(limits.cache_type),
        tensor=tensor,
        pipeline=limits.pipeline,
        ahead=_AHEAD if most else 0,
    )
    return size / GIB


def _longest(architecture: Architecture, room: float, loaded: Loaded, gpus: int) -> int | None:
    """Return the tokens of the longest sequence for which there is room in any case."""
    low, high = 0, architecture.length // _STEP
    while low < high:
        middle = (low + high + 1) // 2
        fits = _sequence(architecture, middle * _STEP, loaded, gpus, most=True) <= room
        low, high = (middle, high) if fits else (low, middle - 1)
    return low * _STEP or None
