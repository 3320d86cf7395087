"""Which members are unhealthy, and their replacement."""

from __future__ import annotations

from cloud.control_plane.groups import targets, wording
from cloud.control_plane.groups.group import Group
from cloud.control_plane.groups.member import Member
from cloud.control_plane.groups.moving import NOT_RUNNING, end


def check(group: Group, now: float) -> None:
    """Find unhealthy members, and begin to end them. Their successors start at once, before they have drained.

    An instance that does not run counts at once. What a load balancer says counts if the group's health check type
    has `ELB`, after the grace period.
    """
    if group.suspended("HealthCheck"):
        return
    for member in group.instance_states:
        if member.lifecycle_state == "InService" and member.health_status == "Healthy":
            kind = _problem(group, member, now)
            if kind:
                sicken(member, kind)
    if group.suspended("ReplaceUnhealthy") or group.suspended("Terminate"):
        return
    for member in list(group.instance_states):
        if member.lifecycle_state == "InService" and member.health_status == "Unhealthy":
            end(group, member, wording.taken_out(now, wording.UNHEALTHY[member.unhealthy]), now)
            group.replacing += 1


def sicken(member: Member, kind: str) -> None:
    """Note that a member is unhealthy; kind: a key of `wording.UNHEALTHY`."""
    member.health_status, member.unhealthy = "Unhealthy", kind


def has_grace(group: Group, member: Member, now: float) -> bool:
    """Whether the health check grace period of a member is not over."""
    began = member.in_service
    return began is None or now < began + group.lasts(float(group.health_check_grace_period or 0))


def _problem(group: Group, member: Member, now: float) -> str:
    if member.instance.state in NOT_RUNNING:
        return "ec2"
    if "ELB" in group.health_check_type and not has_grace(group, member, now) and targets.unhealthy(group, member):
        return "elb"
    return ""
