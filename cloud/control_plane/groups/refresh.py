"""An instance refresh: what was asked, and how far it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from moto.autoscaling.exceptions import ValidationError

from cloud.control_plane.groups.configuration import Configuration
from cloud.control_plane.groups.group import not_known

GOING = ("Pending", "InProgress", "Baking", "Cancelling", "RollbackInProgress")
DEFAULTS: Mapping[str, Any] = {
    "MinHealthyPercentage": 90,
    "MaxHealthyPercentage": 100,
    "SkipMatching": False,
    "AutoRollback": False,
    "ScaleInProtectedInstances": "Wait",
    "StandbyInstances": "Wait",
    "BakeTime": 0,
}
"""Of the API (API reference, RefreshPreferences)."""
CHECKPOINT_DELAY = 3600
KNOWN = {*DEFAULTS, "InstanceWarmup", "CheckpointPercentages", "CheckpointDelay", "AlarmSpecification"}


@dataclass(kw_only=True)
class Refresh:
    """One refresh. The names of its first members are those of the API, in moto's spelling."""

    auto_scaling_group_name: str
    preferences: dict[str, Any]
    desired_configuration: Mapping[str, Any] | None
    start_time: datetime
    configuration: Configuration
    """What the new instances are launched from."""
    previous: Configuration
    """What a rollback launches."""
    strategy: str = "Rolling"
    status: str = "Pending"
    status_reason: str | None = None
    end_time: datetime | None = None
    percentage_complete: int = 0
    instances_to_update: int = 0
    rollback_details: dict[str, Any] | None = None
    instance_refresh_id: str = field(default_factory=lambda: str(uuid4()))
    earlier: frozenset[str]
    """The instances that were there when it began: others are new."""
    old: list[str] = field(default_factory=list[str])
    """The instances that it still has to replace."""
    total: int = 0
    """How many it replaces in all."""
    waits: bool = True
    """Whether a cancellation waits for launches and terminations."""
    seen: object = None
    """How far it was when it last came further."""
    since: float = 0.0
    """When that was."""
    until: float | None = None
    """When the pause at a checkpoint, or the bake time, is over."""
    passed: int = 0
    """Checkpoints that it has passed."""

    @property
    def going(self) -> bool:
        """Whether it has not ended."""
        return self.status in GOING

    @property
    def target(self) -> Mapping[str, Any]:
        """Its preferences, with the API's defaults."""
        return {**DEFAULTS, **self.preferences}

    def bounds(self, capacity: int) -> tuple[int, int]:
        """The fewest units in service and the most live ones while it replaces instances. It always goes on: where
        the percentages leave no room it ends one instance first, or starts one first if more than 100 % are allowed.
        """
        least = math.ceil(capacity * self.target["MinHealthyPercentage"] / 100)
        most = math.floor(capacity * self.target["MaxHealthyPercentage"] / 100)
        if self.target["MaxHealthyPercentage"] > 100:
            most = max(most, capacity + 1)
        elif least >= capacity:
            least = capacity - 1
        return least, max(most, capacity)


def checked(strategy: str | None, preferences: Mapping[str, Any]) -> dict[str, Any]:
    """Return the preferences. Raises AWS's error for those that it refuses."""
    if strategy not in (None, "Rolling"):
        raise not_known(f"the strategy {strategy} of an instance refresh")
    for unknown in set(preferences) - KNOWN:
        raise not_known(f"{unknown} of an instance refresh")
    least, most = preferences.get("MinHealthyPercentage"), preferences.get("MaxHealthyPercentage")
    if most is not None and least is None:
        raise ValidationError("You must specify MinHealthyPercentage when you specify MaxHealthyPercentage.")
    if most is not None and least is not None and most - least > 100:
        raise ValidationError(
            "The difference between MaxHealthyPercentage and MinHealthyPercentage cannot be greater than 100."
        )
    points: list[int] = preferences.get("CheckpointPercentages") or []
    if sorted(set(points)) != list(points):
        raise ValidationError("CheckpointPercentages must be unique and in ascending order.")
    if preferences.get("CheckpointDelay") is not None and not points:
        raise ValidationError("CheckpointDelay needs CheckpointPercentages.")
    return dict(preferences)
