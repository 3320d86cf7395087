"""What to relax when no instance type satisfies a requirement, and which instance type that gives."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence

from infra.configuration import Problem, Source
from infra.planning.catalog import InstanceType
from infra.planning.other_gpus import instead_of
from infra.planning.requirement import Bounds, Key, Miss, Requirement, misses
from infra.planning.text import describe, number, written_line

SHOWN = 3
"""The most ways out, or similar names, in a message."""

_Candidate = tuple[InstanceType, tuple[Miss, ...]]


def no_offer(catalog: Sequence[InstanceType], requirement: Requirement, source: Source) -> Problem:
    """Return the problem of a requirement that has no offer.

    The remedy lists changes of one requirement, the smallest first, each with the instance type that it gives. If no
    single change is enough, the remedy names the nearest instance type and all changes that it needs.
    """
    unknown = _unknown_names(catalog, requirement)
    if unknown is not None:
        key, wanted, known = unknown
        return Problem(
            where=key,
            line=written_line(source, key),
            found=", ".join(wanted),
            rule=f"the catalog of EC2's GPU instance types has none of these {_WHAT[key]}",
            remedy=instead_of(wanted, catalog, requirement) or _by_spelling(wanted, known),
        )
    candidates = [(instance, tuple(misses(instance, requirement))) for instance in catalog]
    candidates.sort(key=_nearness_to(_named_memory(catalog, requirement)))
    ways = _ways_out(candidates)
    if ways:
        key = ways[0][1].key
        changes = [f"{_relaxed(miss, requirement)}, which gives {describe(instance)}" for instance, miss in ways]
        return Problem(
            where=key,
            line=written_line(source, key),
            found=_wanted(key, requirement),
            rule="no EC2 instance type of the catalog satisfies this together with the other requirements",
            remedy=(changes[0] if len(changes) == 1 else "do one of these: " + "; ".join(changes))
            + _if_memory_was_meant(catalog, requirement),
        )
    instance, missed = candidates[0]
    changes = ", and ".join(_relaxed(miss, requirement) for miss in missed)
    return Problem(
        where=", ".join(miss.key for miss in missed),
        line=written_line(source, missed[0].key),
        found=", ".join(_wanted(miss.key, requirement) for miss in missed),
        rule="no EC2 instance type of the catalog satisfies all of these, even without one of them",
        remedy=f"to get the nearest, {describe(instance)}: {changes}",
    )


def _named_memory(catalog: Sequence[InstanceType], requirement: Requirement) -> float:
    """Return the GB of the largest GPU that the requirement names; 0: it names none."""
    named = {name.lower() for name in requirement.gpu_names or ()}
    return max((instance.gpu_memory_gb for instance in catalog if instance.gpu.lower() in named), default=0)


def _nearness_to(gpu_memory: float) -> Callable[[_Candidate], tuple[int, float, float, float, str]]:
    """Return the sort key of candidates: the smallest change first. Instead of a named GPU, the nearest one has at
    least the same memory, `gpu_memory`, because a model that needs the named GPU does not fit into a smaller one."""

    def nearness(candidate: _Candidate) -> tuple[int, float, float, float, str]:
        instance, missed = candidate
        renamed = any(miss.key == "resources.gpu.name" for miss in missed)
        lacking = max(0, gpu_memory - instance.gpu_memory_gb) if renamed else 0
        return len(missed), sum(miss.distance for miss in missed), lacking, instance.price, instance.name

    return nearness


def _ways_out(candidates: Iterable[_Candidate]) -> list[tuple[InstanceType, Miss]]:
    """Return, for each requirement that alone excludes instance types, the type that needs the smallest change, down
    and up.

    Candidates and results are ordered by the size of the change. Lists of instance types or GPU names come last,
    because to add a name changes more than to change a number.
    """
    ways: dict[tuple[Key, bool], tuple[InstanceType, Miss]] = {}
    for instance, missed in candidates:
        if len(missed) == 1:
            ways.setdefault((missed[0].key, missed[0].above), (instance, missed[0]))
    return sorted(ways.values(), key=lambda way: way[1].key in _WHAT)[:SHOWN]


def _if_memory_was_meant(catalog: Sequence[InstanceType], requirement: Requirement) -> str:
    """Return a hint for `gpu: 24`, which is a number of GPUs: no instance type has that many."""
    count = requirement.gpu_count
    if count is None or count.low is None or count.low != count.high or requirement.gpu_memory is not None:
        return ""
    if count.low <= max(instance.gpu_count for instance in catalog):
        return ""
    return f"; {number(count.low)} is a number of GPUs, so write {number(count.low)}GB if you mean GPU memory"


_WHAT: dict[Key, str] = {"instance_types": "names", "resources.gpu.name": "GPUs"}


def _unknown_names(
    catalog: Sequence[InstanceType], requirement: Requirement
) -> tuple[Key, tuple[str, ...], list[str]] | None:
    """Return the first list of names of which the catalog has none: its key, its names, and the known names."""
    types = sorted(instance.name for instance in catalog)
    gpus = sorted({instance.gpu for instance in catalog})
    lists: tuple[tuple[Key, tuple[str, ...] | None, list[str]], ...] = (
        ("instance_types", requirement.instance_types, types),
        ("resources.gpu.name", requirement.gpu_names, gpus),
    )
    for key, wanted, known in lists:
        if wanted is not None and not {name.lower() for name in wanted} & {name.lower() for name in known}:
            return key, wanted, known
    return None


def _by_spelling(wanted: Iterable[str], known: Sequence[str]) -> str:
    return f"use a name of the catalog, for example {', '.join(_nearest(wanted, known))}"


def _nearest(wanted: Iterable[str], known: Sequence[str]) -> list[str]:
    by_lowered = {name.lower(): name for name in known}
    found = {
        near: None
        for name in sorted(wanted)
        for near in difflib.get_close_matches(name.lower(), list(by_lowered), n=SHOWN, cutoff=0.4)
    }
    return [by_lowered[name] for name in found] or list(known)


def _wanted(key: Key, requirement: Requirement) -> str:
    """Return the requirement of a key, as a configuration writes it."""
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
    """Return the change that a requirement needs to admit an instance type, with the difference if it is a number."""
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
            return f"set gpu vendor to {miss.has}, or remove it"
        case "resources.cpu.arch":
            return f"set cpu arch to {miss.has}, or remove it"
        case "instance_types":
            return f"add {miss.has} to instance_types"


def _widened(what: str, miss: Miss, bounds: Bounds | None, unit: str = "") -> str:
    has, low = float(str(miss.has)), None if bounds is None else bounds.low
    high = None if bounds is None else bounds.high
    if low is not None and low == high:
        return f"set {what} to {number(has)}{unit} instead of {number(low)}{unit}"
    below = low is not None and has < low
    widened = _range(Bounds(low=has, high=high) if below else Bounds(low=low, high=has), unit)
    if low is not None and high is not None:
        return f"set {what} to {widened} instead of {_range(bounds, unit)}"
    if low is not None and below:
        return f"lower {what} by {number(low - has)}{unit} to {widened}"
    return f"raise {what} by {number(has - (high or 0))}{unit} to {widened}"


def _range(bounds: Bounds | None, unit: str = "") -> str:
    if bounds is None:
        return ".."
    low = "" if bounds.low is None else f"{number(bounds.low)}{unit}"
    high = "" if bounds.high is None else f"{number(bounds.high)}{unit}"
    return low if low == high else f"{low}..{high}"
