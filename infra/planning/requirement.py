"""The requirements of a configuration for an instance type, and which of them an instance type does not satisfy.

The rules are dstack's (gpuhunt's `matches`): every range includes its bounds; a single value is a range of one value
(`24GB` is `24GB..24GB`, and `24GB..` has no upper bound); names are compared without case; compute capability is a
minimum. GPU memory is compared with the size that the card is sold as: `24GB` matches an A10G, for which EC2 reports
22.35 GiB.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from infra.planning.catalog import InstanceType

Key = Literal[
    "instance_types",
    "resources.cpu.arch",
    "resources.cpu",
    "resources.memory",
    "resources.gpu.vendor",
    "resources.gpu.count",
    "resources.gpu.name",
    "resources.gpu.compute_capability",
    "resources.gpu.memory",
    "resources.gpu.total_memory",
    "max_price",
]
"""The place of a requirement in the configuration."""

LARGEST_SPOT_DISCOUNT = 0.9
"""AWS says that spot capacity costs up to 90 % less than on demand. The discount varies."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """A closed range; a bound that is `None` is open."""

    low: float | None = None
    high: float | None = None

    def admits(self, value: float) -> bool:
        """Whether the value is within the bounds."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def distance(self, value: float) -> float:
        """Return how far the value is outside, as a share of the bound: 0 within, 0.5 for 16 when 32 is the minimum."""
        if self.low is not None and value < self.low:
            return (self.low - value) / self.low
        if self.high is not None and value > self.high:
            return (value - self.high) / (self.high or 1)
        return 0


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """The requirements for an instance type. Memory in GB, prices in US dollars an hour; `None`: no requirement."""

    cpu: Bounds | None = None
    arch: Literal["x86", "arm"] | None = None
    memory: Bounds | None = None
    gpu_count: Bounds | None = None
    gpu_vendor: str | None = None
    gpu_names: tuple[str, ...] | None = None
    gpu_memory: Bounds | None = None
    """Memory of one GPU."""
    gpu_total_memory: Bounds | None = None
    compute_capability: tuple[int, int] | None = None
    instance_types: tuple[str, ...] | None = None
    max_price: float | None = None
    spot_only: bool = False
    """If true, `max_price` is a limit for spot prices, which the catalog does not know. An instance type passes when
    its price less `LARGEST_SPOT_DISCOUNT` is below `max_price`."""


@dataclass(frozen=True, kw_only=True)
class Miss:
    """One requirement that an instance type does not satisfy."""

    key: Key
    has: str | float | tuple[int, int]
    """The value of the instance type."""
    distance: float
    """How far the value is outside: 0 is just missed. Comparable for one key. The distance of a wrong name is 1."""
    above: bool = False
    """Whether the instance type has more than the requirement allows."""


def misses(instance: InstanceType, requirement: Requirement) -> Iterator[Miss]:
    """Yield every requirement that the instance type misses, in the order in which `first_miss` checks them."""
    while (miss := first_miss(instance, requirement)) is not None:
        yield miss
        requirement = without(requirement, miss.key)


def first_miss(instance: InstanceType, requirement: Requirement) -> Miss | None:
    """Return the first requirement that the instance type misses; `None`: it is an offer."""
    wanted = requirement
    if wanted.instance_types is not None and instance.name.lower() not in _lowered(wanted.instance_types):
        return Miss(key="instance_types", has=instance.name, distance=1)
    if wanted.arch is not None and instance.arch != wanted.arch:
        return Miss(key="resources.cpu.arch", has=instance.arch, distance=1)
    if wanted.gpu_vendor is not None and instance.vendor != wanted.gpu_vendor:
        return Miss(key="resources.gpu.vendor", has=instance.vendor, distance=1)
    if wanted.gpu_names is not None and instance.gpu.lower() not in _lowered(wanted.gpu_names):
        return Miss(key="resources.gpu.name", has=instance.gpu, distance=1)
    if wanted.compute_capability is not None and instance.compute_capability < wanted.compute_capability:
        return Miss(key="resources.gpu.compute_capability", has=instance.compute_capability, distance=1)
    if wanted.gpu_memory is not None and not wanted.gpu_memory.admits(instance.gpu_memory_gb):
        return _outside("resources.gpu.memory", instance.gpu_memory_gb, wanted.gpu_memory)
    if wanted.gpu_count is not None and not wanted.gpu_count.admits(instance.gpu_count):
        return _outside("resources.gpu.count", instance.gpu_count, wanted.gpu_count)
    if wanted.gpu_total_memory is not None and not wanted.gpu_total_memory.admits(instance.total_gpu_memory_gb):
        return _outside("resources.gpu.total_memory", instance.total_gpu_memory_gb, wanted.gpu_total_memory)
    if wanted.cpu is not None and not wanted.cpu.admits(instance.vcpus):
        return _outside("resources.cpu", instance.vcpus, wanted.cpu)
    if wanted.memory is not None and not wanted.memory.admits(instance.memory_gb):
        return _outside("resources.memory", instance.memory_gb, wanted.memory)
    if wanted.max_price is not None and lowest_price(instance, requirement) > wanted.max_price:
        return _outside("max_price", lowest_price(instance, requirement), Bounds(high=wanted.max_price))
    return None


def without(requirement: Requirement, key: Key) -> Requirement:
    """Return the requirement without the one of that key."""
    match key:
        case "instance_types":
            return replace(requirement, instance_types=None)
        case "resources.cpu.arch":
            return replace(requirement, arch=None)
        case "resources.cpu":
            return replace(requirement, cpu=None)
        case "resources.memory":
            return replace(requirement, memory=None)
        case "resources.gpu.vendor":
            return replace(requirement, gpu_vendor=None)
        case "resources.gpu.count":
            return replace(requirement, gpu_count=None)
        case "resources.gpu.name":
            return replace(requirement, gpu_names=None)
        case "resources.gpu.compute_capability":
            return replace(requirement, compute_capability=None)
        case "resources.gpu.memory":
            return replace(requirement, gpu_memory=None)
        case "resources.gpu.total_memory":
            return replace(requirement, gpu_total_memory=None)
        case "max_price":
            return replace(requirement, max_price=None)


def lowest_price(instance: InstanceType, requirement: Requirement) -> float:
    """Return the price to compare with `max_price`, in US dollars an hour: the list price, or the lowest spot price."""
    return instance.price * (1 - LARGEST_SPOT_DISCOUNT) if requirement.spot_only else instance.price


def _outside(key: Key, has: float, bounds: Bounds) -> Miss:
    return Miss(key=key, has=has, distance=bounds.distance(has), above=bounds.high is not None and has > bounds.high)


def _lowered(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name.lower() for name in names)
