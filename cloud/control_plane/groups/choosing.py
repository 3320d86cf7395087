"""Which instances end when there are too many (EC2 Auto Scaling user guide, termination policies)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from cloud.control_plane.groups.group import Group, not_known
from cloud.control_plane.groups.launching import resolved
from cloud.control_plane.groups.member import Member, units

POLICIES: dict[str, Callable[[Member], float]] = {
    "OldestInstance": lambda member: member.launched,
    "NewestInstance": lambda member: -member.launched,
    "OldestLaunchTemplate": lambda member: member.version,
    "ClosestToNextInstanceHour": lambda member: member.launched,
}
"""Policy -> what it orders by; the smallest ends first. Instances are billed by the second, so for the last one the
oldest stands."""
KNOWN = (*POLICIES, "Default", "AllocationStrategy", "OldestLaunchConfiguration")


def check_policies(policies: Sequence[str]) -> None:
    """Raise an error for a policy that this cloud does not know: a Lambda function's ARN."""
    for policy in policies:
        if policy not in KNOWN:
            raise not_known(f"the termination policy {policy}")


def victims(group: Group, excess: int) -> list[Member]:
    """Return the members to end, at most `excess` units of capacity. Those protected from scaling in stay."""
    chosen: list[Member] = []
    live = group.live
    while True:
        left = excess - units(chosen)
        able = [one for one in live if not one.protected_from_scale_in and one.weight <= left]
        if left <= 0 or not able:
            return chosen
        one = _next(group, live, able)
        chosen.append(one)
        live.remove(one)


def in_order(group: Group, able: Sequence[Member]) -> list[Member]:
    """Return members in the order in which they would end: an instance refresh replaces them in it too."""
    live, left = group.live, list(able)
    chosen: list[Member] = []
    while left:
        one = _next(group, live, left)
        left.remove(one)
        live = [member for member in live if member is not one]
        chosen.append(one)
    return chosen


def _next(group: Group, live: Sequence[Member], able: list[Member]) -> Member:
    zones = Counter(member.availability_zone for member in live)
    most = max(zones[member.availability_zone] for member in able)
    able = [member for member in able if zones[member.availability_zone] == most]
    for policy in group.termination_policies:
        if policy in ("Default", "AllocationStrategy"):
            able = _misplaced(group, live, able)
        if policy == "Default":
            able = _oldest_template(group, able)
        elif policy in POLICIES:
            key = POLICIES[policy]
            least = min(key(member) for member in able)
            able = [member for member in able if key(member) == least]
    return min(able, key=lambda member: (member.launched, member.instance_id))


def _misplaced(group: Group, live: Sequence[Member], able: list[Member]) -> list[Member]:
    """Return the members that are bought in the way of which the group has too many."""
    if not group.configuration.mixed:
        return able
    on_demand = units([member for member in live if not member.spot])
    wanted = group.configuration.on_demand(group.desired_capacity)
    return [member for member in able if member.spot != (on_demand > wanted)] or able


def _oldest_template(group: Group, able: list[Member]) -> list[Member]:
    """Return the members with another launch template than the group, or else those with its lowest version."""
    current = resolved(group, group.configuration.template).template.id
    others = [member for member in able if (member.template or {}).get("LaunchTemplateId") != current]
    if others:
        return others
    least = min(member.version for member in able)
    return [member for member in able if member.version == least]
