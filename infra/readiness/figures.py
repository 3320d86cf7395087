"""The figures of a replica: what it says about its GPUs, its disk and its server, once a minute."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a replica measured. `None`: the machine or the server did not say."""

    at: int
    """When it wrote them, in seconds since 1970."""
    type: str | None = None
    """Its instance type."""
    gpu_use: float | None = None
    """Percent, the mean of its GPUs."""
    gpu_memory: float | None = None
    """Percent, of the GPU that has the least free."""
    gpu_temperature: float | None = None
    """Degrees Celsius, of the hottest GPU."""
    gpu_power: float | None = None
    """Watts, of all GPUs together."""
    disk_use: float | None = None
    """Percent, of the fullest disk."""
    running: float | None = None
    """The requests that the server works on."""
    waiting: float | None = None
    """The requests in the server's queue."""
    requests_per_second: float | None = None
    """The requests that the server finished, over the last minute."""
    tokens_per_second: float | None = None
    """The tokens that the server generated, over the last minute."""


def read_figures(item: Mapping[str, Any]) -> Figures | None:
    """Return the figures in a state item, which has typed attributes as DynamoDB's API gives them.

    `None`: it has none, or they are not a JSON object with a time. A member that is not a number is left out.
    """
    at = _number(item.get("figures_at", {}).get("N"))
    said = _object(item.get("figures", {}).get("S"))
    if at is None or said is None:
        return None
    kind = said.get("type")
    return Figures(
        at=int(at),
        type=kind if isinstance(kind, str) and kind else None,
        gpu_use=_number(said.get("GpuUse")),
        gpu_memory=_number(said.get("GpuMemory")),
        gpu_temperature=_number(said.get("gpu_temperature")),
        gpu_power=_number(said.get("gpu_power")),
        disk_use=_number(said.get("DiskUse")),
        running=_number(said.get("Running")),
        waiting=_number(said.get("Waiting")),
        requests_per_second=_number(said.get("requests_per_second")),
        tokens_per_second=_number(said.get("tokens_per_second")),
    )


def _object(text: object) -> Mapping[str, Any] | None:
    if not isinstance(text, str):
        return None
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _number(value: object) -> float | None:
    """Return a number; DynamoDB's API writes numbers as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
