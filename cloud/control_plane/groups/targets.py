"""Registering instances with target groups, and draining them."""

from __future__ import annotations

import math

from moto.core.exceptions import ServiceException

from cloud.control_plane.groups.group import Group
from cloud.control_plane.groups.member import Member

DELAY = "deregistration_delay.timeout_seconds"


def register(group: Group, member: Member) -> None:
    """Register a running instance with the group's target groups. One that no longer exists is left out."""
    if group.suspended("AddToLoadBalancer"):
        return
    for arn in group.target_group_arns:
        known = group.autoscaling_backend.elbv2_backend.target_groups.get(arn)
        if known is None or arn in member.targets:
            continue
        group.autoscaling_backend.elbv2_backend.register_targets(
            arn, [{"Id": member.instance_id, "Port": int(known.port)}]
        )
        member.targets[arn] = math.inf


def deregister(group: Group, member: Member, now: float, only: str | None = None) -> None:
    """Begin to drain an instance. `only`: the one target group that it leaves."""
    for arn in list(member.targets) if only is None else [only]:
        known = group.autoscaling_backend.elbv2_backend.target_groups.get(arn)
        if known is None or member.targets.get(arn) != math.inf:
            continue
        member.targets[arn] = now + group.lasts(float(known.attributes.get(DELAY) or 0))
        try:
            group.autoscaling_backend.elbv2_backend.deregister_targets(arn, [{"Id": member.instance_id}])
        except ServiceException:  # someone else has deregistered it
            member.targets[arn] = now


def drained(group: Group, member: Member, now: float) -> bool:
    """Whether no target group drains the instance any more: the load balancer says so, or the delay is over."""
    for arn, until in list(member.targets.items()):
        if until == math.inf:
            continue
        if now >= until or state(group, member, arn) != "draining":
            del member.targets[arn]
    return all(until == math.inf for until in member.targets.values())


def unhealthy(group: Group, member: Member) -> bool:
    """Whether a load balancer finds the instance unhealthy."""
    return any(state(group, member, arn) == "unhealthy" for arn, until in member.targets.items() if until == math.inf)


def healthy(group: Group, member: Member) -> bool:
    """Whether every load balancer of the group sends requests to the instance."""
    return all(state(group, member, arn) in ("healthy", None) for arn in group.target_group_arns)


def state(group: Group, member: Member, arn: str) -> str | None:
    """What the load balancer says of the instance; `None`: the target group no longer exists."""
    known = group.autoscaling_backend.elbv2_backend.target_groups.get(arn)
    if known is None:
        return None
    target = {"Id": member.instance_id, "Port": int(known.port)}
    return str(group.autoscaling_backend.elbv2_backend.describe_target_health(arn, [target])[0].status)
