"""How instance types and numbers are written for people."""

from __future__ import annotations

from infra.planning.catalog import InstanceType


def number(value: float) -> str:
    """A number without superfluous zeros: `24`, `0.526`."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def describe(instance: InstanceType) -> str:
    """An instance type in one line: name, GPUs as dstack writes them, vCPUs, memory, price."""
    gpu = f"{instance.gpu}:{number(instance.gpu_memory_gb)}GB:{instance.gpu_count}"
    memory = f"{number(instance.memory_gb)}GB"
    return f"{instance.name} ({gpu}, {instance.vcpus} vCPU, {memory}, ${number(instance.price)}/h)"
