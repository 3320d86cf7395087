"""An instance of a group: where it is between its launch and its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from moto.autoscaling.models import InstanceState

from cloud.control_plane.groups.activity import Activity

LIVE = ("Pending", "Pending:Wait", "Pending:Proceed", "InService")
"""The states that count as capacity. An instance in `Standby` or on its way out does not."""


@dataclass
class Wait:
    """A lifecycle hook that waits for one instance."""

    hook: Any
    until: float
    """When its heartbeat times out, in seconds since 1970."""
    most: float
    """The latest time that heartbeats can move `until` to."""
    token: str = field(default_factory=lambda: str(uuid4()))


class Member(InstanceState):
    """moto's instance of a group, and what moto does not know of it."""

    lifecycle_state: str
    health_status: str
    availability_zone: str
    instance: Any

    def __init__(
        self,
        instance: Any,
        group: Any,
        *,
        now: float,
        activity: Activity | None = None,
        template: Mapping[str, str] | None = None,
        weight: str | None = None,
        spot: bool = False,
    ) -> None:
        instance.autoscaling_group = group
        super().__init__(instance, "Pending", "Healthy", group.new_instances_protected_from_scale_in, group)
        self.activity = activity
        """The activity that is in progress for it, or was last."""
        self.template = template
        """Id, name and number of the launch template that started it."""
        self.weighted_capacity = weight
        self.spot = spot
        self.launched = now
        self.in_service: float | None = None
        """Since when it has been in service."""
        self.unhealthy = ""
        """Why, as `wording.UNHEALTHY` has it."""
        self.waits: list[Wait] = []
        self.targets: dict[str, float] = {}
        """Target groups that it is registered with -> when draining is over; infinite: it does not drain."""
        self.leaves = ""
        """`end`, `detach` or `standby`, once it is on its way out."""
        self.hooked = False
        """Whether its hooks of the current transition have begun."""

    @property
    def launch_template(self) -> Mapping[str, str] | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.template

    @property
    def weight(self) -> int:
        """Units of capacity."""
        return int(self.weighted_capacity or 1)

    @property
    def live(self) -> bool:
        """Whether it counts as capacity."""
        return self.lifecycle_state in LIVE

    @property
    def version(self) -> int:
        """Number of the version of its launch template; 0: no template started it."""
        return int(self.template["Version"]) if self.template else 0


def units(members: Sequence[Member]) -> int:
    """Units of capacity of members together."""
    return sum(member.weight for member in members)
