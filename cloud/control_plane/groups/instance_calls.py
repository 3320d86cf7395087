"""The calls on single instances of a group."""

from __future__ import annotations

from collections.abc import Sequence

from moto.autoscaling.exceptions import ValidationError

from cloud.control_plane.groups import wording
from cloud.control_plane.groups.activity import Activity
from cloud.control_plane.groups.group import Group
from cloud.control_plane.groups.health import has_grace, sicken
from cloud.control_plane.groups.member import Member
from cloud.control_plane.groups.moving import end, into_service, take

TOO_FEW = (
    "Currently, desiredSize equals minSize ({}). {} instance without replacement will violate group's min size "
    "constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size."
)


def set_health(group: Group, member: Member, status: str, *, respect_grace: bool) -> None:
    """SetInstanceHealth. In its grace period an instance stays healthy, unless the caller says otherwise."""
    if status not in ("Healthy", "Unhealthy"):
        raise ValidationError("Valid instance health states are: [Healthy, Unhealthy]")
    if status == "Healthy":
        member.health_status, member.unhealthy = status, ""
    elif not (respect_grace and has_grace(group, member, group.now)):
        sicken(member, "user")


def terminate(group: Group, member: Member, *, decrement: bool) -> Activity:
    """TerminateInstanceInAutoScalingGroup."""
    shrinking = _decremented(group, 1, "Terminating", decrement=decrement)
    if member.leaves:
        raise ValidationError(f"Instance {member.instance_id} is already {member.lifecycle_state}")
    cause = wording.asked_for(group.now, member.instance_id, "taken out of service", shrinking)
    return end(group, member, cause, group.now)


def detach(group: Group, instances: Sequence[str], *, decrement: bool) -> list[Activity]:
    """DetachInstances: they leave once they have drained, and run on."""
    members = _in_service(group, instances, ("InService", "Standby"), "InService or Standby")
    shrinking = _decremented(group, len(members), "Detaching", decrement=decrement)
    return [_take(group, member, "Detaching EC2 instance", "detached", "detach", shrinking) for member in members]


def enter_standby(group: Group, instances: Sequence[str], *, decrement: bool) -> list[Activity]:
    """EnterStandby: they drain, run on and do not count as capacity."""
    members = _in_service(group, instances, ("InService",), "InService")
    shrinking = _decremented(group, len(members), "Moving", decrement=decrement)
    what = "moved to standby"
    return [_take(group, one, "Moving EC2 instance to Standby", what, "standby", shrinking) for one in members]


def exit_standby(group: Group, instances: Sequence[str]) -> list[Activity]:
    """ExitStandby: they serve again, and the desired capacity grows by them."""
    members = _in_service(group, instances, ("Standby",), "Standby")
    before = group.desired_capacity
    after = before + len(members)
    if after > group.max_size:
        raise ValidationError(
            f"Exiting standby with {len(members)} instances would exceed the group's max size of {group.max_size}"
        )
    group.desired_capacity = after
    return [_exit(group, member, before, after) for member in members]


def protect(group: Group, instances: Sequence[str], *, protected: bool) -> None:
    """SetInstanceProtection."""
    states = ("InService", "EnteringStandby", "Standby")
    for member in _in_service(group, instances, states, "InService or EnteringStandby or Standby"):
        member.protected_from_scale_in = protected


def _exit(group: Group, member: Member, before: int, after: int) -> Activity:
    what = f"instance {member.instance_id} was moved out of standby in response to a user request"
    cause = wording.at(group.now, f"{what}, increasing the capacity from {before} to {after}")
    activity = _begin(group, member, "Moving EC2 instance out of Standby", cause)
    activity.goes_on("PreInService", 30)
    member.activity = activity
    into_service(group, member, group.now)
    return activity


def _take(
    group: Group, member: Member, description: str, what: str, way: str, shrinking: tuple[int, int] | None
) -> Activity:
    cause = wording.asked_for(group.now, member.instance_id, what, shrinking)
    activity = _begin(group, member, description, cause)
    activity.progress = 50
    take(group, member, activity, group.now, way)
    return activity


def _begin(group: Group, member: Member, description: str, cause: str) -> Activity:
    return group.begin(
        f"{description}: {member.instance_id}", cause, group.now, member.instance.subnet_id, member.availability_zone
    )


def _in_service(group: Group, instances: Sequence[str], states: Sequence[str], named: str) -> list[Member]:
    found: list[Member] = []
    for instance in instances:
        member = group.member(instance)
        if member is None:
            raise ValidationError(f"The instance {instance} is not part of Auto Scaling group {group.name}.")
        if member.lifecycle_state not in states:
            raise ValidationError(f"The instance {instance} is not in {named}.")
        found.append(member)
    return found


def _decremented(group: Group, count: int, doing: str, *, decrement: bool) -> tuple[int, int] | None:
    """Lower the desired capacity if asked to. Returns what it was and is; `None`: it stays."""
    if not decrement:
        return None
    before = group.desired_capacity
    if before - count < group.min_size:
        raise ValidationError(TOO_FEW.format(group.min_size, doing))
    group.desired_capacity = before - count
    return before, before - count
