"""The size of the cache of keys and values that a sequence needs on each GPU."""

from __future__ import annotations

import math

from infra.planning.architecture import Architecture, CachedLayers

_SMALLER = {
    "fp8": 1.0,
    "fp8_e4m3": 1.0,
    "fp8_e4m3fn": 1.0,
    "fp8_e5m2": 1.0,
    "fp8_inc": 1.0,
    "fp8_ds_mla": 1.0,
    "int8": 1.0,
    "8": 1.0,
    "nvfp4": 0.5625,
    "fp4_e2m1": 0.5,
    "4": 0.5,
}
"""Bytes of a number in a cache of this type, as the options of servers name it. LMDeploy's `--quant-policy` is a number
of bits. The default is the type of the model, with 2 bytes."""


def number_bytes(cache_type: str | None) -> float:
    """Return the bytes of a number in a cache of this type; `None`: the server's default."""
    return _SMALLER.get(cache_type or "", 2.0)


def sequence_bytes(
    architecture: Architecture, length: int, *, number: float, tensor: int = 1, pipeline: int = 1, ahead: int = 0
) -> float:
    """Return the bytes of one sequence on each GPU.

    Args:
        architecture: the model.
        length: tokens of the sequence.
        number: bytes of a number in the cache.
        tensor: GPUs that share out the heads of a layer. GPUs that exceed the heads keep copies.
        pipeline: groups of layers, each on its own GPUs.
        ahead: tokens that layers with a window keep beyond it while a prompt is read.
    """
    cached = sum(_token_numbers(one, tensor) * number * _kept(one, length, ahead) for one in architecture.layers)
    return (cached + architecture.state_bytes / tensor) / pipeline


def _token_numbers(layers: CachedLayers, tensor: int) -> int:
    """Return the numbers that these layers keep of one token on each GPU."""
    return layers.count * layers.numbers * (math.ceil(layers.heads / tensor) if layers.heads else 1)


def _kept(layers: CachedLayers, length: int, ahead: int) -> int:
    return length if layers.window is None else min(length, layers.window + ahead)
