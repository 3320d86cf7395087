"""moto's backends of a service, of every region that was used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.autoscaling.models import autoscaling_backends
from moto.cloudwatch.models import cloudwatch_backends

from cloud.control_plane.groups.group import Group


def cloudwatch() -> list[Any]:
    """Return all backends of CloudWatch."""
    return _all(cloudwatch_backends)


def auto_scaling() -> list[Any]:
    """Return all backends of Auto Scaling."""
    return _all(autoscaling_backends)


def groups() -> Iterator[Group]:
    """Every Auto Scaling group."""
    for backend in auto_scaling():
        for group in list(backend.autoscaling_groups.values()):
            if isinstance(group, Group):
                yield group


def cloudwatch_beside(backend: Any) -> Any:
    """Return the backend of CloudWatch for the account and region of another backend."""
    return cloudwatch_backends[backend.account_id][backend.region_name]


def _all(backends: Any) -> list[Any]:
    return [backend for _, _, backend in backends.iter_backends()]
