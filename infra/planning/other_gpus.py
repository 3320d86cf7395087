"""GPUs that exist, but that the catalog does not have: what to ask for instead, by memory and not by spelling."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from infra.planning.catalog import InstanceType
from infra.planning.requirement import Requirement
from infra.planning.text import number

SHOWN = 3
"""The most GPUs in a suggestion."""


def instead_of(wanted: Sequence[str], catalog: Sequence[InstanceType], requirement: Requirement) -> str | None:
    """Return the remedy for GPUs that the catalog does not have. `None`: no such GPU is known, so it is a spelling.

    A GPU has the same memory or more: the model was chosen for that memory. If a GPU has variants, the memory that the
    configuration asks for decides, or else the smallest one.
    """
    sizes = {name: _other_gpus()[name.lower()] for name in wanted if name.lower() in _other_gpus()}
    if not sizes:
        return None
    named = ", ".join(f"{name} ({' or '.join(f'{number(size)}GB' for size in sizes[name])})" for name in sorted(sizes))
    least = min(size for variants in sizes.values() for size in variants)
    if requirement.gpu_memory is not None:
        least = max(least, requirement.gpu_memory.low or 0)
    fitting = {instance.gpu: instance for instance in sorted(catalog, key=_by_memory, reverse=True)}
    found = sorted((one for one in fitting.values() if one.gpu_memory_gb >= least), key=_by_memory)[:SHOWN]
    if not found:
        return f"AWS has no GPU with the memory of {named}: use several smaller ones, or a smaller model"
    listed = ", ".join(f"{one.gpu} ({number(one.gpu_memory_gb)}GB)" for one in found)
    return f"EC2 does not have {named}: use a GPU with the same memory or more, for example {listed}"


def _by_memory(instance: InstanceType) -> tuple[float, float]:
    return instance.gpu_memory_gb, instance.price


@cache
def _other_gpus() -> Mapping[str, tuple[float, ...]]:
    """The memory of each variant, by the name in lower case."""
    lines = Path(__file__).with_suffix(".csv").read_text(encoding="utf-8").splitlines()
    found: dict[str, tuple[float, ...]] = {}
    for row in csv.DictReader(line for line in lines if not line.startswith("#")):
        name = row["gpu"].lower()
        found[name] = (*found.get(name, ()), float(row["memory_gb"]))
    return found
