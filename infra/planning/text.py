"""How instance types, numbers and places are written for people."""

from __future__ import annotations

from decimal import Decimal

from infra.configuration import Source
from infra.planning.catalog import InstanceType


def number(value: float) -> str:
    """A number without superfluous zeros: `24`, `0.526`."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def decimal(value: float) -> str:
    """A number to its last digit and without an exponent, as AWS reads one in a text: `0.1`, `1200000`."""
    return format(Decimal(str(value)).normalize(), "f")


def describe(instance: InstanceType) -> str:
    """An instance type in one line: name, GPUs as dstack writes them, vCPUs, memory, price."""
    gpu = f"{instance.gpu}:{number(instance.gpu_memory_gb)}GB:{instance.gpu_count}"
    memory = f"{number(instance.memory_gb)}GB"
    return f"{instance.name} ({gpu}, {instance.vcpus} vCPU, {memory}, ${number(instance.price)}/h)"


def written_line(source: Source, key: str) -> int | None:
    """Where a key (`resources.disk`) or the map around it is written; `None` where the file has neither."""
    path = tuple(key.split("."))
    prefixes = (path[:length] for length in range(len(path), 0, -1))
    return next((source.lines[prefix] for prefix in prefixes if prefix in source.lines), None)
