"""Moving an instance refresh on (EC2 Auto Scaling user guide, "How an instance refresh works")."""

from __future__ import annotations

from moto.cloudwatch.models import cloudwatch_backends

from cloud.control_plane.groups import targets, wording
from cloud.control_plane.groups.choosing import in_order
from cloud.control_plane.groups.group import Group
from cloud.control_plane.groups.member import Member, units
from cloud.control_plane.groups.moving import end
from cloud.control_plane.groups.refresh import CHECKPOINT_DELAY, Refresh

PATIENCE = 3600.0
"""Seconds that it waits for instances to become healthy before it fails (user guide)."""
CANCELLED = "Cancelled due to user request."
ROLLED_BACK = "Rolled back due to user request."
WARMS = "Waiting for instances to warm up before continuing. For example: {} is warming up."
_WAITS = "Waiting for remaining instances to be available. For example: {} "
NO_DATA = _WAITS + "has insufficient data to evaluate its health with Amazon EC2."
PROTECTED = _WAITS + "is protected. Remove instance scale-in protection to continue."
STANDBY = _WAITS + "is in Standby. Return the instance to service to continue."
TIMED_OUT = "Instances did not become healthy in time."
ALARM = "The CloudWatch alarm {} is in the ALARM state."
"""Published are the first, the third and the start of those after it; the others are this cloud's words."""


def active(group: Group) -> Refresh | None:
    """The refresh that has not ended."""
    newest: Refresh | None = group.refreshes[-1] if group.refreshes else None
    return newest if newest is not None and newest.going else None


def step(group: Group, now: float) -> int:
    """Move the group's refresh on. Returns the units that it needs besides the desired capacity."""
    refresh = active(group)
    if refresh is None or group.suspended("InstanceRefresh"):
        return 0
    if refresh.status == "Pending":
        refresh.status, refresh.since = "InProgress", now
    if refresh.status == "Cancelling":
        if not refresh.waits or all(member.lifecycle_state in ("InService", "Standby") for member in _members(group)):
            _finish(refresh, "Cancelled", CANCELLED, now)
        return 0
    alarm = _alarm(group, refresh)
    if alarm is not None:
        return _fail(group, refresh, ALARM.format(alarm), now)
    if refresh.status == "Baking":
        if refresh.until is None or now >= refresh.until:
            _succeed(group, refresh, now)
        return 0
    return _replace(group, refresh, now)


def go_back(group: Group, refresh: Refresh, reason: str, now: float) -> None:
    """Begin a rollback: replace the new instances by what the group launched before."""
    refresh.rollback_details = {
        "RollbackReason": reason,
        "RollbackStartTime": wording.moment(now),
        "PercentageCompleteOnRollback": refresh.percentage_complete,
        "InstancesToUpdateOnRollback": refresh.instances_to_update,
    }
    refresh.status, refresh.status_reason = "RollbackInProgress", None
    refresh.configuration = refresh.previous
    refresh.old = [member.instance_id for member in group.live if member.instance_id not in refresh.earlier]
    refresh.earlier = frozenset(member.instance_id for member in group.instance_states)
    refresh.total, refresh.since, refresh.until = len(refresh.old), now, None


def reversible(refresh: Refresh) -> bool:
    """Whether a rollback is possible: the refresh has a desired configuration, and no version is `$Latest` or
    `$Default`."""
    return refresh.desired_configuration is not None and not (refresh.previous.floats or refresh.configuration.floats)


def _replace(group: Group, refresh: Refresh, now: float) -> int:
    """End old instances as far as the percentages allow, and return how many new ones may start first."""
    old = [one for one in _members(group) if one.instance_id in refresh.old and not one.leaves]
    ready = [one for one in group.live if _is_ready(group, refresh, one, now)]
    _count(refresh, len([one for one in ready if one.instance_id not in refresh.earlier]))
    if not old and not _in_transit(group, refresh) and units(ready) >= group.desired_capacity:
        return _complete(group, refresh, now)
    able = [one for one in old if _blocked(refresh, one) is None]
    paused = _paused(group, refresh, now)
    if refresh.status != "InProgress" and refresh.status != "RollbackInProgress":
        return 0
    capacity = group.desired_capacity
    least, most = refresh.bounds(capacity)
    if not paused and not group.suspended("Terminate"):
        _end_old(group, able, ready, units(ready) - least, now)
    refresh.old = [one.instance_id for one in old if not one.leaves]
    refresh.status_reason = _reason(group, refresh, old, ready)
    if _stuck(group, refresh, ready, now) and not paused:
        return _fail(group, refresh, TIMED_OUT, now)
    more = min(most - capacity, units([one for one in able if not one.leaves and one.live]))
    return min(more, max(0, units(group.live) - capacity)) if paused else more


def _end_old(group: Group, able: list[Member], ready: list[Member], spare: int, now: float) -> None:
    for member in in_order(group, able):
        if member in ready:
            if member.weight > spare:
                continue
            spare -= member.weight
        cause = wording.taken_out(now, "an instance refresh")
        end(group, member, wording.cause(cause, wording.selected(now, [member.instance_id])), now)


def _is_ready(group: Group, refresh: Refresh, member: Member, now: float) -> bool:
    """Whether a member is in service and healthy, and warmed up if it is new.

    A warm-up is a time alone. It is as long as a machine may need until it serves, and machines boot by the clock. So
    where AWS's times are faster, it ends early only for a member that the load balancer finds healthy.
    """
    if member.in_service is None or member.lifecycle_state != "InService" or member.health_status != "Healthy":
        return False
    if member.instance_id in refresh.earlier:
        return True
    passed, warmup = now - member.in_service, _warmup(group, refresh)
    return passed >= warmup or (passed >= group.lasts(warmup) and targets.healthy(group, member))


def _warmup(group: Group, refresh: Refresh) -> float:
    """Seconds of AWS's (API reference, InstanceWarmup)."""
    chosen = (refresh.preferences.get("InstanceWarmup"), group.default_instance_warmup)
    return float(next((one for one in chosen if one is not None), group.health_check_grace_period or 0))


def _blocked(refresh: Refresh, member: Member) -> str | None:
    """Return why the refresh must wait for a member."""
    if member.lifecycle_state == "Standby" and refresh.target["StandbyInstances"] == "Wait":
        return STANDBY
    if member.protected_from_scale_in and refresh.target["ScaleInProtectedInstances"] == "Wait":
        return PROTECTED
    return None


def _count(refresh: Refresh, ready: int) -> None:
    if refresh.status == "RollbackInProgress":
        before = (refresh.rollback_details or {})["PercentageCompleteOnRollback"]
        refresh.percentage_complete = before * max(0, refresh.total - ready) // max(1, refresh.total)
        return
    done = min(refresh.total, ready)
    refresh.instances_to_update = refresh.total - done
    refresh.percentage_complete = done * 100 // max(1, refresh.total)


def _reason(group: Group, refresh: Refresh, old: list[Member], ready: list[Member]) -> str | None:
    for member in group.live:
        if member.instance_id not in refresh.earlier and member not in ready:
            return (NO_DATA if member.in_service is None else WARMS).format(member.instance_id)
    for member in old:
        why = _blocked(refresh, member)
        if why is not None:
            return why.format(member.instance_id)
    return None


def _stuck(group: Group, refresh: Refresh, ready: list[Member], now: float) -> bool:
    """Whether the refresh has made no progress for too long. Warming up counts as progress."""
    warming = any(one.in_service is not None and one not in ready for one in group.live)
    seen = (tuple(refresh.old), refresh.percentage_complete, len(ready))
    if warming or seen != refresh.seen or _in_transit(group, refresh):
        refresh.seen, refresh.since = seen, now
    return now >= refresh.since + group.lasts(PATIENCE)


def _in_transit(group: Group, refresh: Refresh) -> bool:
    """Whether old instances are on their way out."""
    return any(one.leaves == "end" and one.instance_id in refresh.earlier for one in _members(group))


def _paused(group: Group, refresh: Refresh, now: float) -> bool:
    """Whether it waits at a checkpoint. It ends at the last one if that is below 100 %."""
    points: list[int] = refresh.preferences.get("CheckpointPercentages") or []
    if refresh.status != "InProgress":
        return False
    if refresh.until is not None:
        if now < refresh.until:
            return True
        refresh.until = None
        if refresh.passed == len(points):
            _succeed(group, refresh, now)
        return False
    reached = len([point for point in points if point <= refresh.percentage_complete and point < 100])
    if reached <= refresh.passed:
        return False
    delay = refresh.preferences.get("CheckpointDelay")
    refresh.passed = reached
    refresh.until = now + group.lasts(CHECKPOINT_DELAY if delay is None else delay)
    return True


def _complete(group: Group, refresh: Refresh, now: float) -> int:
    refresh.old, refresh.instances_to_update, refresh.status_reason = [], 0, None
    if refresh.status == "RollbackInProgress":
        refresh.percentage_complete = 0
        _finish(refresh, "RollbackSuccessful", None, now)
        return 0
    refresh.percentage_complete = 100
    bake = refresh.target["BakeTime"]
    if bake:
        refresh.status, refresh.until = "Baking", now + group.lasts(bake)
    else:
        _succeed(group, refresh, now)
    return 0


def _succeed(group: Group, refresh: Refresh, now: float) -> None:
    wanted = refresh.desired_configuration
    if wanted is not None:
        group.configure(wanted.get("LaunchTemplate"), wanted.get("MixedInstancesPolicy"))
    _finish(refresh, "Successful", None, now)


def _fail(group: Group, refresh: Refresh, reason: str, now: float) -> int:
    if refresh.status == "RollbackInProgress":
        _finish(refresh, "RollbackFailed", reason, now)
    elif refresh.target["AutoRollback"] and reversible(refresh):
        go_back(group, refresh, reason, now)
    else:
        _finish(refresh, "Failed", reason, now)
    return 0


def _finish(refresh: Refresh, status: str, reason: str | None, now: float) -> None:
    refresh.status, refresh.status_reason, refresh.end_time = status, reason, wording.moment(now)


def _alarm(group: Group, refresh: Refresh) -> str | None:
    """The first of its alarms that is in alarm. A rollback does not look at them."""
    specification: dict[str, list[str]] = refresh.preferences.get("AlarmSpecification") or {}
    names = specification.get("Alarms") or []
    if not names or refresh.status == "RollbackInProgress":
        return None
    alarms = cloudwatch_backends[group.account_id][group.region].alarms
    return next((name for name in names if name in alarms and alarms[name].state_value == "ALARM"), None)


def _members(group: Group) -> list[Member]:
    return list(group.instance_states)
