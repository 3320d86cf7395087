"""When a service runs, and in which capacity."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """When a service starts and ends by itself: cron expressions in UTC, as EC2 Auto Scaling reads them."""

    starts: tuple[str, ...]
    """At least one."""
    ends: tuple[str, ...]
    """Empty: it runs on."""


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """Capacity of EC2 that was reserved before."""

    id: str
    capacity_block: bool
    """Whether it is a Capacity Block, which was bought for a time."""


@dataclass(frozen=True, kw_only=True)
class Utilization:
    """The use of GPUs without which a service ends."""

    least: int
    """Percent, of each GPU."""
    window: int
    """Seconds in which a GPU must reach it once."""


@dataclass(frozen=True, kw_only=True)
class Roll:
    """How new replicas replace old ones when the service changes."""

    min_healthy_percentage: int
    """The share of the desired replicas that always serve."""
    max_healthy_percentage: int
    """The share of the desired replicas that run at most during the roll. Quotas must have room for them."""
    warmup: int
    """Seconds after which a new replica counts as ready and an old one ends."""
