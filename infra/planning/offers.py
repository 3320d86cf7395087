"""Offers: the instance types of the catalog that satisfy a requirement, and what to relax where there is none."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from infra.configuration.problem import Problem
from infra.planning.catalog import InstanceType
from infra.planning.plan import Offer
from infra.planning.requirement import Bounds, Key, Miss, Requirement, first_miss, lowest_price, misses

SHOWN = 3
"""How many ways out, or nearest instance types, a message names."""

_Candidate = tuple[InstanceType, tuple[Miss, ...]]


def find_offers(catalog: Iterable[InstanceType], requirement: Requirement, *, disk_gb: int) -> tuple[Offer, ...]:
    """The instance types that satisfy the requirement, cheapest first, then by name; empty where there is none.

    The order of the catalog, of GPU names and of instance types does not matter.
    """
    found = [instance for instance in catalog if first_miss(instance, requirement) is None]
    return tuple(_offer(instance, disk_gb) for instance in sorted(found, key=_by_price))


def no_offer(catalog: Sequence[InstanceType], requirement: Requirement) -> list[Problem]:
    """Why there is no offer, for a requirement that has none: what to relax by how much, and what that would give."""
    unknown = _unknown_names(catalog, requirement)
    if unknown:
        return unknown
    candidates = [(instance, tuple(misses(instance, requirement))) for instance in catalog]
    ways = _ways_out(candidates, requirement)
    if ways:
        return [_problem(miss.key, requirement, instance, miss) for instance, miss in ways]
    instance, missed = min(candidates, key=_by_nearness)
    changes = "; ".join(_relaxed(miss, requirement) for miss in missed)
    return [
        Problem(
            where=", ".join(miss.key for miss in missed),
            found=", ".join(f"{_wanted(miss.key, requirement)}" for miss in missed),
            rule="no EC2 instance type of the catalog satisfies these together, nor all but one of them",
            remedy=f"the nearest is {describe(instance)}: for it, {changes}",
        )
    ]


def describe(instance: InstanceType) -> str:
    """An instance type in one line: name, GPUs, vCPUs, memory, price."""
    return (
        f"{instance.name} ({instance.gpu}:{number(instance.gpu_memory_gb)}GB:{instance.gpu_count}, {instance.vcpus} vCPU, "
        f"{number(instance.memory_gb)}GB, ${number(instance.price)}/h)"
    )


def number(value: float) -> str:
    """A number without superfluous zeros: `24`, `0.526`."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _offer(instance: InstanceType, disk_gb: int) -> Offer:
    return Offer(
        instance_type=instance.name,
        gpu=instance.gpu,
        gpu_count=instance.gpu_count,
        gpu_memory_gb=instance.gpu_memory_gb,
        usable_gpu_memory_gb=instance.usable_gpu_memory_gb,
        vcpus=instance.vcpus,
        memory_gb=instance.memory_gb,
        disk_gb=disk_gb,
        nvme_gb=instance.nvme_gb,
        price=instance.price,
    )


def _by_price(instance: InstanceType) -> tuple[float, str]:
    return instance.price, instance.name


def _by_nearness(candidate: _Candidate) -> tuple[int, float, float, str]:
    instance, missed = candidate
    return len(missed), sum(miss.distance for miss in missed), instance.price, instance.name


def _ways_out(candidates: Iterable[_Candidate], requirement: Requirement) -> list[tuple[InstanceType, Miss]]:
    """For each requirement that alone stands in the way: the instance type it has to be relaxed least for.

    The list is in the order of how little is asked; a list of instance types or GPU names comes last, because to
    leave what was named is more than to change a number.
    """
    nearest: dict[Key, _Candidate] = {}
    for candidate in sorted(candidates, key=_by_nearness):
        missed = candidate[1]
        if len(missed) == 1:
            nearest.setdefault(missed[0].key, candidate)
    ways = sorted(nearest.values(), key=_by_nearness)
    return [(instance, missed[0]) for instance, missed in ways[:SHOWN]]


def _problem(key: Key, requirement: Requirement, instance: InstanceType, miss: Miss) -> Problem:
    return Problem(
        where=key,
        found=_wanted(key, requirement),
        rule="no EC2 instance type of the catalog satisfies this together with the rest",
        remedy=f"{_relaxed(miss, requirement)}, and {describe(instance)} is an offer",
    )


def _unknown_names(catalog: Sequence[InstanceType], requirement: Requirement) -> list[Problem]:
    """GPU names and instance types of which the catalog knows not one, with the nearest ones it knows."""
    problems: list[Problem] = []
    types = sorted(instance.name for instance in catalog)
    gpus = sorted({instance.gpu for instance in catalog})
    for key, wanted, known, what in (
        ("instance_types", requirement.instance_types, types, "instance types"),
        ("resources.gpu.name", requirement.gpu_names, gpus, "GPUs"),
    ):
        if wanted is None or {name.lower() for name in wanted} & {name.lower() for name in known}:
            continue
        nearest = _nearest(wanted, known)
        problems.append(
            Problem(
                where=key,
                found=", ".join(wanted),
                rule=f"the catalog of EC2's {what} has none of these",
                remedy=f"the nearest it has: {', '.join(nearest)}",
            )
        )
    return problems


def _nearest(wanted: Iterable[str], known: Sequence[str]) -> list[str]:
    by_lowered = {name.lower(): name for name in known}
    found = {
        near: None
        for name in sorted(wanted)
        for near in difflib.get_close_matches(name.lower(), list(by_lowered), n=SHOWN, cutoff=0.4)
    }
    return [by_lowered[name] for name in found] or list(known)


def _wanted(key: Key, requirement: Requirement) -> str:
    """What is asked for under a key, as a configuration writes it."""
    match key:
        case "instance_types":
            return ",".join(requirement.instance_types or ())
        case "resources.cpu.arch":
            return str(requirement.arch)
        case "resources.cpu":
            return _range(requirement.cpu)
        case "resources.memory":
            return _range(requirement.memory, "GB")
        case "resources.gpu.vendor":
            return str(requirement.gpu_vendor)
        case "resources.gpu.count":
            return _range(requirement.gpu_count)
        case "resources.gpu.name":
            return ",".join(requirement.gpu_names or ())
        case "resources.gpu.compute_capability":
            major, minor = requirement.compute_capability or (0, 0)
            return f"{major}.{minor}"
        case "resources.gpu.memory":
            return _range(requirement.gpu_memory, "GB")
        case "resources.gpu.total_memory":
            return _range(requirement.gpu_total_memory, "GB")
        case "max_price":
            return f"${number(requirement.max_price or 0)}/h"


def _relaxed(miss: Miss, requirement: Requirement) -> str:
    """How a requirement has to be changed to admit what was missed, with the difference where it is a number."""
    match miss.key:
        case "resources.cpu":
            return _widened("cpu", miss, requirement.cpu)
        case "resources.memory":
            return _widened("memory", miss, requirement.memory, "GB")
        case "resources.gpu.count":
            return _widened("gpu count", miss, requirement.gpu_count)
        case "resources.gpu.memory":
            return _widened("gpu memory", miss, requirement.gpu_memory, "GB")
        case "resources.gpu.total_memory":
            return _widened("total GPU memory", miss, requirement.gpu_total_memory, "GB")
        case "max_price":
            price, ceiling = float(str(miss.has)), requirement.max_price or 0
            return f"raise max_price by ${number(price - ceiling)} to {number(price)}"
        case "resources.gpu.compute_capability":
            capability = ".".join(str(part) for part in miss.has) if isinstance(miss.has, tuple) else miss.has
            return f"lower compute_capability to {capability}"
        case "resources.gpu.name":
            return f"add {miss.has} to gpu name"
        case "resources.gpu.vendor":
            return f"say gpu vendor {miss.has}, or leave it out"
        case "resources.cpu.arch":
            return f"say cpu arch {miss.has}, or leave it out"
        case "instance_types":
            return f"add {miss.has} to instance_types"


def _widened(what: str, miss: Miss, bounds: Bounds | None, unit: str = "") -> str:
    has, low = float(str(miss.has)), None if bounds is None else bounds.low
    high = None if bounds is None else bounds.high
    if low is not None and has < low:
        widened = _range(Bounds(low=has, high=high), unit)
        return f"lower {what} by {number(low - has)}{unit} to {widened}"
    widened = _range(Bounds(low=low, high=has), unit)
    return f"raise {what} by {number(has - (high or 0))}{unit} to {widened}"


def _range(bounds: Bounds | None, unit: str = "") -> str:
    if bounds is None:
        return ".."
    low = "" if bounds.low is None else f"{number(bounds.low)}{unit}"
    high = "" if bounds.high is None else f"{number(bounds.high)}{unit}"
    return low if low == high else f"{low}..{high}"
