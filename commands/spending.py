"""What replicas cost in a time, at the catalog's on-demand list prices."""

from __future__ import annotations

from datetime import datetime

from commands.lifetimes import Lifetime
from infra.planning.catalog import InstanceType, read_catalog


def hours(one: Lifetime, begin: datetime, end: datetime) -> float:
    """Return the hours that a replica was there between `begin` and `end`."""
    return max((min(end, one.ended or end) - max(begin, one.began)).total_seconds(), 0) / 3600


def gpu_hours(one: Lifetime, begin: datetime, end: datetime) -> float | None:
    """Return the hours of a replica's GPUs: an hour of an instance with four GPUs is four. `None`: the catalog does not
    have its type."""
    known = instance_type(one.type)
    return None if known is None else known.gpu_count * hours(one, begin, end)


def dollars(one: Lifetime, begin: datetime, end: datetime) -> float | None:
    """Return US dollars. `None`: the catalog does not have its type."""
    known = instance_type(one.type)
    return None if known is None else known.price * hours(one, begin, end)


def instance_type(name: str | None) -> InstanceType | None:
    """Return a type of the catalog by AWS's name."""
    return next((one for one in read_catalog() if one.name == name), None)
