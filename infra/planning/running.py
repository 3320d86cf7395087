"""When a service runs by itself, and in which capacity."""

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
