"""The metrics of a group, which AWS publishes every minute if they are enabled."""

from __future__ import annotations

from collections.abc import Mapping

from cloud.control_plane.groups.group import Group
from cloud.control_plane.groups.member import Member, units

_STATES = ("InService", "Pending", "Standby", "Terminating")
METRICS = (
    "GroupMinSize",
    "GroupMaxSize",
    "GroupDesiredCapacity",
    *(f"Group{state}Instances" for state in (*_STATES, "Total")),
    *(f"Group{state}Capacity" for state in (*_STATES, "Total")),
)
"""Namespace `AWS/AutoScaling`, dimension `AutoScalingGroupName` (EC2 Auto Scaling user guide, available metrics)."""


def values(group: Group) -> Mapping[str, int]:
    """The value of each metric that is enabled, now."""
    by_state: dict[str, list[Member]] = {
        state: [one for one in group.instance_states if one.lifecycle_state.startswith(state)] for state in _STATES
    }
    by_state["Total"] = list(group.instance_states)
    found = {
        "GroupMinSize": group.min_size,
        "GroupMaxSize": group.max_size,
        "GroupDesiredCapacity": group.desired_capacity,
        **{f"Group{state}Instances": len(members) for state, members in by_state.items()},
        **{f"Group{state}Capacity": units(members) for state, members in by_state.items()},
    }
    return {name: found[name] for name in METRICS if name in group.metrics}
