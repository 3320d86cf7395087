"""One member on its way: from its launch into service, and out of the group.

    Pending → Pending:Wait → Pending:Proceed → InService
    Terminating (deregistered, draining) → Terminating:Wait → Terminating:Proceed → ended and gone
    Detaching or EnteringStandby (deregistered, draining) → gone from the group, or Standby

An instance drains before its hooks begin (EC2 Auto Scaling user guide, "How lifecycle hooks work").
"""

from __future__ import annotations

from cloud.control_plane.groups import hooks, targets, wording
from cloud.control_plane.groups.activity import Activity
from cloud.control_plane.groups.group import Group
from cloud.control_plane.groups.launching import GROUP_TAG, put_off
from cloud.control_plane.groups.member import Member, Wait

NOT_RUNNING = ("shutting-down", "terminated", "stopping", "stopped")
HOOK, DRAINS = "MidLifecycleAction", "WaitingForELBConnectionDraining"
_WAYS = {"end": "Terminating", "detach": "Detaching", "standby": "EnteringStandby"}


def move(group: Group, member: Member, now: float) -> None:
    """Move one member on as far as possible now."""
    if member.leaves:
        _leave(group, member, now)
    elif member.lifecycle_state in ("Pending", "Pending:Wait", "Pending:Proceed"):
        _arrive(group, member, now)


def end(group: Group, member: Member, cause: str, now: float) -> Activity:
    """Begin to end a member."""
    activity = group.begin(
        f"Terminating EC2 instance: {member.instance_id}",
        cause,
        now,
        member.instance.subnet_id,
        member.availability_zone,
    )
    take(group, member, activity, now, "end")
    return activity


def take(group: Group, member: Member, activity: Activity, now: float, way: str) -> None:
    """Begin to take a member out of service; way: `end`, `detach` or `standby`."""
    if member.activity is not None:
        member.activity.ends(now, "Cancelled")  # it was still on its way into service
    member.activity, member.leaves, member.lifecycle_state = activity, way, _WAYS[way]
    member.waits, member.hooked, member.in_service = [], False, None
    targets.deregister(group, member, now)


def into_service(group: Group, member: Member, now: float) -> None:
    """Put a running instance into service."""
    targets.register(group, member)
    member.lifecycle_state, member.in_service, member.leaves = "InService", now, ""
    if member.activity is not None:
        member.activity.ends(now)


def _arrive(group: Group, member: Member, now: float) -> None:
    if member.instance.state in NOT_RUNNING:
        _lose(group, member, wording.never_served(member.instance.state_reason.message or ""), now)
        return
    if member.instance.state != "running":
        return
    if hooks.begin(group, member, hooks.LAUNCHING, now):
        member.lifecycle_state = "Pending:Wait"
        if member.activity is not None:
            member.activity.goes_on(HOOK, 60)
        hooks.time_out(member, now, lambda wait: abandon(group, member, wait, now, timed_out=True))
    if not member.waits and not member.leaves:
        member.lifecycle_state = "Pending:Proceed"
        into_service(group, member, now)


def abandon(group: Group, member: Member, wait: Wait, now: float, *, timed_out: bool) -> None:
    """End an instance that a launching hook has abandoned, without draining and hooks."""
    if member.activity is not None:
        member.activity.ends(now, "Cancelled", wording.abandoned(wait.token, timed_out=timed_out))
    member.leaves, member.lifecycle_state = "end", "Terminating:Proceed"
    member.waits, member.hooked = [], True
    put_off(group, now)


def _leave(group: Group, member: Member, now: float) -> None:
    activity = member.activity
    if not targets.drained(group, member, now):
        if activity is not None:
            activity.goes_on(DRAINS, 50, wording.DRAINING)
        return
    if member.leaves != "end":
        _let_go(group, member, now)
        return
    if hooks.begin(group, member, hooks.TERMINATING, now):
        member.lifecycle_state = "Terminating:Wait"
        if activity is not None:
            activity.goes_on(HOOK, 60)
        hooks.time_out(member, now, lambda wait: None)
    if member.waits:
        return
    if member.lifecycle_state == "Terminating:Wait":
        member.lifecycle_state = "Terminating:Proceed"
    if activity is not None:
        activity.goes_on("InProgress", 50)
    if member.instance.state not in ("shutting-down", "terminated"):
        group.ec2_backend.terminate_instances([member.instance_id])
    if member.instance.state == "terminated":
        _gone(group, member, now)


def _let_go(group: Group, member: Member, now: float) -> None:
    """Detach a member, or put it into standby."""
    if member.leaves == "standby":
        member.leaves, member.lifecycle_state = "", "Standby"
        if member.activity is not None:
            member.activity.ends(now)
        return
    group.ec2_backend.delete_tags([member.instance_id], {GROUP_TAG: group.name})
    _gone(group, member, now)


def _lose(group: Group, member: Member, message: str, now: float) -> None:
    """Note that an instance has ended before it was in service."""
    if member.activity is not None:
        member.activity.ends(now, "Cancelled", message)
    group.instance_states.remove(member)
    if member.instance.state in ("stopping", "stopped"):
        group.ec2_backend.terminate_instances([member.instance_id])
    put_off(group, now)


def _gone(group: Group, member: Member, now: float) -> None:
    if member.activity is not None:
        member.activity.ends(now)
    group.instance_states.remove(member)
