"""Replaces moto's groups with those that live."""

from __future__ import annotations

from typing import Any

from moto.autoscaling import urls
from moto.autoscaling.models import autoscaling_backends

from cloud.control_plane.clock import Clock
from cloud.control_plane.data_plane import DataPlane
from cloud.control_plane.groups import capacity, spot
from cloud.control_plane.groups.backend import LivingGroups
from cloud.control_plane.groups.responses import LivingGroupsResponse


def install(clock: Clock, data_plane: DataPlane | None = None) -> None:
    """Replace moto's Auto Scaling, before anything has called it. `Keeper` moves the groups on.

    data_plane: gets the routes under `/cloud/capacity` and `/cloud/spot`.
    """
    LivingGroups.clock = clock
    backends: Any = autoscaling_backends
    backends.backend = LivingGroups
    urls.url_paths["{0}/$"] = LivingGroupsResponse.dispatch
    if data_plane is not None:
        data_plane.add("GET", "/cloud/capacity", capacity.get)
        data_plane.add("PUT", "/cloud/capacity", capacity.put)
        told = spot.Spot(clock)
        data_plane.add("GET", "/cloud/spot/<id>", told.get)
        data_plane.add("PUT", "/cloud/spot", told.put)
