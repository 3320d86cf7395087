"""What a group does by itself: it moves its members on, replaces what is unhealthy, and keeps its capacity."""

from __future__ import annotations

from collections.abc import Sequence

from cloud.control_plane.groups import health, refreshing, spot, wording
from cloud.control_plane.groups.choosing import victims
from cloud.control_plane.groups.configuration import Configuration
from cloud.control_plane.groups.group import Group
from cloud.control_plane.groups.launching import launch
from cloud.control_plane.groups.member import Member, units
from cloud.control_plane.groups.moving import end, move


def step(group: Group, now: float) -> None:
    """Move a group on."""
    for member in list(group.instance_states):
        move(group, member, now)
    health.check(group, now)
    more = refreshing.step(group, now) + spot.rebalance(group, now)
    _balance(group, more, now)


def _balance(group: Group, more: int, now: float) -> None:
    """Start or end instances until the group has its capacity; more: units that are needed besides."""
    wanted = group.desired_capacity + more
    have = units(group.live)
    if have < wanted and now >= group.retry_at and not group.suspended("Launch"):
        _grow(group, have, wanted, now)
    elif have > wanted and not group.suspended("Terminate"):
        _shrink(group, have, wanted, now)
    elif have == wanted:
        group.request, group.replacing = None, 0


def _grow(group: Group, have: int, wanted: int, now: float) -> None:
    refresh = refreshing.active(group)
    configuration: Configuration = group.configuration if refresh is None else refresh.configuration
    while units(group.live) < wanted:
        if group.replacing:
            cause = wording.replaced(now)
        elif refresh is not None and group.request is None:
            cause = wording.refreshed(now)
        elif group.request is None and any(spot.at_risk(group, member) for member in group.live):
            cause = wording.rebalanced(now)
        else:
            cause = wording.cause(group.request, wording.started(now, have, wanted))
        if launch(group, configuration, cause, now, _staying(group)) is None:
            return
        group.replacing = max(0, group.replacing - 1)


def _staying(group: Group) -> Sequence[Member]:
    refresh = refreshing.active(group)
    leaving = () if refresh is None else refresh.old
    return [member for member in group.live if member.instance_id not in leaving]


def _shrink(group: Group, have: int, wanted: int, now: float) -> None:
    chosen = victims(group, have - wanted)
    if not chosen:
        return
    after = have - units(chosen)
    names = wording.selected(now, [member.instance_id for member in chosen])
    cause = wording.cause(group.request, wording.shrunk(now, have, after), names)
    for member in chosen:
        end(group, member, cause, now)
