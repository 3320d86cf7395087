"""What EC2 tells spot instances, over `PUT /cloud/spot`, and what a group does then.

A rebalance recommendation says that an interruption has become likely. An interruption notice comes two minutes before
EC2 ends the instance, and with a recommendation. Instances read both from their metadata. A group with capacity
rebalancing starts a successor at a recommendation, and ends the instance when the successor is in service. Any other
group finds the instance ended (EC2 Auto Scaling user guide, "Capacity Rebalancing").
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloud.control_plane import machines
from cloud.control_plane.changes import CHANGES
from cloud.control_plane.clock import Clock
from cloud.control_plane.groups import wording
from cloud.control_plane.groups.group import Group
from cloud.control_plane.groups.member import Member, units
from cloud.control_plane.groups.moving import NOT_RUNNING, end

NOTICE = 120.0
"""Seconds of AWS's between an interruption notice and the end (EC2 user guide)."""
_notices: dict[str, Notice] = {}


@dataclass
class Notice:
    """What an instance was told. Times are in seconds since 1970."""

    recommended: float
    ends: float | None = None
    """When EC2 ends it; `None`: only a rebalance was recommended."""


class Spot:
    """The routes `PUT /cloud/spot` and `GET /cloud/spot/<id>`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def put(self, request: Any) -> Mapping[str, Any]:
        """`{"instance": id, "notice": "rebalance" | "interruption"}`. Returns what `get` does.

        Raises ValueError for another body, for an instance that does not run, and for one that is not spot.
        """
        body: Mapping[str, Any] = json.loads(request.data)
        if set(body) != {"instance", "notice"} or body["notice"] not in ("rebalance", "interruption"):
            raise ValueError("spot needs an instance, and a notice that is rebalance or interruption")
        id = str(body["instance"])
        instance = next((one for one in machines.instances() if one.id == id), None)
        if instance is None or instance.state in NOT_RUNNING:
            raise ValueError(f"{id} does not run")
        if instance.lifecycle != "spot":
            raise ValueError(f"{id} is on demand, and EC2 interrupts only spot instances")
        now = self._clock.now()
        notice = _notices.setdefault(id, Notice(now))
        if body["notice"] == "interruption" and notice.ends is None:
            notice.ends = now + self._clock.lasts(NOTICE)
        CHANGES.made()
        return self.get(request, id)

    def get(self, _: Any, id: str) -> Mapping[str, Any]:
        """`{"recommended": T, "ends": T}`: when a rebalance was recommended, and when EC2 ends it. `None`: not."""
        notice = _notices.get(id)
        return {"recommended": notice and notice.recommended, "ends": notice and notice.ends}


def interrupt(now: float) -> None:
    """End the instances whose time is over."""
    there = {instance.id: instance for instance in machines.instances() if instance.state not in NOT_RUNNING}
    for id, notice in list(_notices.items()):
        if id not in there:
            del _notices[id]
        elif notice.ends is not None and now >= notice.ends:
            machines.interrupt(there[id])


def rebalance(group: Group, now: float) -> int:
    """End the members at risk whose successors are in service. Returns the units that are started besides."""
    risky = [member for member in group.live if at_risk(group, member)]
    if not risky or group.suspended("Terminate") or group.suspended("Launch"):
        return 0
    others = [member for member in group.live if member not in risky and member.lifecycle_state == "InService"]
    spare = units(others) + units(risky) - group.desired_capacity
    for member in sorted(risky, key=lambda one: _notices[one.instance_id].recommended):
        if member.weight <= spare and member.lifecycle_state == "InService":
            spare -= member.weight
            risky.remove(member)
            end(group, member, wording.taken_out(now, wording.REBALANCED), now)
    return min(units(risky), max(1, math.floor(group.desired_capacity / 10)))


def at_risk(group: Group, member: Member) -> bool:
    """Whether a group replaces a member before EC2 interrupts it."""
    return bool(group.capacity_rebalance) and member.spot and member.instance_id in _notices
