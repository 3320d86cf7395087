"""Instance types, numbers and places as text for people."""

from __future__ import annotations

from decimal import Decimal

from infra.configuration import Source
from infra.planning.catalog import InstanceType


def number(value: float) -> str:
    """Return a number without unnecessary zeros: `24`, `0.526`."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def decimal(value: float) -> str:
    """Return a number with all its digits and without an exponent, as AWS reads numbers in texts: `0.1`, `1200000`."""
    return format(Decimal(str(value)).normalize(), "f")


def describe(instance: InstanceType) -> str:
    """Return an instance type in one line: name, GPUs as dstack writes them, vCPUs, memory, price."""
    gpu = f"{instance.gpu}:{number(instance.gpu_memory_gb)}GB:{instance.gpu_count}"
    memory = f"{number(instance.memory_gb)}GB"
    return f"{instance.name} ({gpu}, {instance.vcpus} vCPU, {memory}, ${number(instance.price)}/h)"


def written_line(source: Source, key: str) -> int | None:
    """Return the line of a key (`resources.disk`) or of the map around it; `None`: the file has neither."""
    path = tuple(key.split("."))
    prefixes = (path[:length] for length in range(len(path), 0, -1))
    return next((source.lines[prefix] for prefix in prefixes if prefix in source.lines), None)
