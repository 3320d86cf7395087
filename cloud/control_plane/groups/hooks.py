"""Lifecycle hooks: they hold an instance before it enters the group, or before it leaves it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import LifecycleHook

from cloud.control_plane.groups.group import Group, not_known
from cloud.control_plane.groups.member import Member, Wait

LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"
HEARTBEAT = 3600
GLOBAL = 172_800
"""Seconds that heartbeats can hold an instance at most; with a short timeout, a hundred of them."""
Result = Literal["CONTINUE", "ABANDON"]


class Hook(LifecycleHook):
    """A hook without the notification that moto invents."""

    role_arn: str | None
    notification_target_arn: str | None

    def __init__(self, name: str, group: str, transition: str, timeout: int | None, result: str | None) -> None:
        super().__init__(name, group, transition, timeout or HEARTBEAT, result)
        self.role_arn = self.notification_target_arn = None
        self.global_timeout = min(GLOBAL, 100 * self.heartbeat_timeout)


def begin(group: Group, member: Member, transition: str, now: float) -> bool:
    """Let the hooks of a transition hold an instance, and return whether there are any. Call it once for each
    transition."""
    if member.hooked:
        return bool(member.waits)
    member.hooked = True
    member.waits = [
        Wait(hook, now + group.lasts(hook.heartbeat_timeout), now + group.lasts(hook.global_timeout))
        for hook in group.autoscaling_backend.describe_lifecycle_hooks(group.name)
        if hook.lifecycle_transition == transition
    ]
    return bool(member.waits)


def time_out(member: Member, now: float, abandon: Callable[[Wait], None]) -> None:
    """Give hooks whose time is over their default result. `abandon`: is called if this is ABANDON."""
    for wait in [wait for wait in member.waits if now >= wait.until]:
        if wait in member.waits:  # an abandoned one ends the others
            resolve(member, wait, wait.hook.default_result, abandon)


def resolve(member: Member, wait: Wait, result: str, abandon: Callable[[Wait], None]) -> None:
    """End one hook. On the way out, ABANDON only ends the other hooks."""
    member.waits.remove(wait)
    if result == "ABANDON":
        member.waits.clear()
        if not member.leaves:
            abandon(wait)


def heartbeat(group: Group, wait: Wait, now: float) -> None:
    """Begin the hook's time again."""
    wait.until = min(wait.most, now + group.lasts(wait.hook.heartbeat_timeout))


def find(group: Group, name: str, token: str | None, instance: str | None) -> tuple[Member, Wait]:
    """Return the hook that waits for an instance, and the instance. Raises AWS's error."""
    for member in group.instance_states:
        for wait in member.waits:
            if wait.hook.name == name and (wait.token == token if token else member.instance_id == instance):
                return member, wait
    what = f"token {token}" if token else f"instance ID {instance}"
    raise ValidationError(f"No active Lifecycle Action found with {what}")


def check(transition: Any, result: Any, told: Any) -> None:
    """Raise an error for a hook that AWS refuses, or whose messages this cloud does not send."""
    if transition not in (LAUNCHING, TERMINATING):
        raise ValidationError(f"Invalid lifecycle transition: {transition}")
    if result not in (None, "CONTINUE", "ABANDON"):
        raise ValidationError(f"Invalid default result: {result}")
    if told:
        raise not_known("NotificationTargetARN of a lifecycle hook")
