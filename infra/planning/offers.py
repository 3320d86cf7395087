"""The offers of a configuration: the instance types of the catalog that satisfy it, by price."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from infra.configuration import Range, Resources, ServiceConfiguration
from infra.planning.catalog import InstanceType
from infra.planning.plan import Offer
from infra.planning.requirement import Bounds, Requirement, first_miss

MOST_OFFERS = 40
"""The most instance types of an Auto Scaling group (botocore: LaunchTemplateOverrides)."""


def find_offers(catalog: Iterable[InstanceType], requirement: Requirement, *, disk_gb: int) -> tuple[Offer, ...]:
    """Return the instance types that satisfy the requirement, the cheapest first, then by name; empty if none does.

    The order of the catalog, of GPU names and of instance types does not matter.
    """
    found = [instance for instance in catalog if first_miss(instance, requirement) is None]
    return tuple(_offer(instance, disk_gb) for instance in sorted(found, key=_by_price))


def requirement_of(configuration: ServiceConfiguration) -> Requirement:
    """Return the requirements of the configuration, which already contains dstack's defaults."""
    resources = configuration.resources
    gpu = resources.gpu
    return Requirement(
        cpu=_bounds(resources.cpu.count),
        arch=resources.cpu.arch,
        memory=_bounds(resources.memory),
        gpu_count=_bounds(gpu.count),
        gpu_vendor=gpu.vendor,
        gpu_names=gpu.name,
        gpu_memory=None if gpu.memory is None else _bounds(gpu.memory),
        gpu_total_memory=None if gpu.total_memory is None else _bounds(gpu.total_memory),
        compute_capability=gpu.compute_capability,
        instance_types=configuration.instance_types,
        max_price=configuration.max_price,
        spot_only=configuration.spot_policy == "spot",
    )


def asks_for_gpu(configuration: ServiceConfiguration) -> bool:
    """Whether the configuration sets `gpu`. The default is dstack's `0..`, any number of any GPU."""
    return configuration.resources.gpu != Resources().gpu


def offer_notes(found: Sequence[Offer]) -> list[str]:
    """Return a note if more instance types match than a group can have."""
    if len(found) <= MOST_OFFERS:
        return []
    return [f"{len(found)} instance types match. AWS allows {MOST_OFFERS}, so the {MOST_OFFERS} cheapest are used."]


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


def _bounds(written: Range[int] | Range[float]) -> Bounds:
    return Bounds(low=written.min, high=written.max)
