"""What scaling policies do to their groups.

Source: the EC2 Auto Scaling user guide. Simple policies wait for activities in progress and for their cooldown. Step
and target tracking policies do not, but they do not count an instance that warms up as serving.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cloud.control_plane.alarms import regions
from cloud.control_plane.alarms.adjusting import adjusted, step, tracked
from cloud.control_plane.alarms.tracking import configured
from cloud.control_plane.clock import Clock
from cloud.control_plane.groups.group import Group
from cloud.control_plane.groups.member import Member, units

SUSPENDED = "AlarmNotification"
"""The process of a group that listens to alarms."""
GRACE = 300
"""AWS's seconds of a cooldown or warm-up that nobody has set (default cooldown)."""


@dataclass
class Cooldown:
    """The time after an activity of a simple policy."""

    seconds: float
    """Of AWS, before `--speed`."""
    over: float | None = None
    """When, in seconds since 1970; `None`: the activity is still in progress."""


class Policies:
    """Executes policies, and remembers their cooldowns."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._cooldowns: dict[str, Cooldown] = {}
        """By the ARN of a group."""
        self._growths: dict[str, list[tuple[float, float]]] = {}
        """When policies added instances, and how long those warm up in AWS's seconds, by the ARN of a group."""

    def tick(self, now: float) -> None:
        """Begin the cooldowns of activities that are over."""
        groups = {group.arn: group for group in regions.groups()}
        self._growths = {arn: growths for arn, growths in self._growths.items() if arn in groups}
        for arn, cooldown in list(self._cooldowns.items()):
            if arn not in groups:
                del self._cooldowns[arn]
            elif cooldown.over is None and _is_steady(groups[arn]):
                cooldown.over = now + self._clock.lasts(cooldown.seconds)

    def triggered(self, arn: str, alarm: Any, value: float | None, now: float) -> None:
        """An alarm in state ALARM calls a policy. `value`: the newest of what the alarm watches."""
        policy = find(arn)
        group = None if policy is None else _group(policy)
        if policy is None or not getattr(policy, "enabled", True) or group is None or group.suspended(SUSPENDED):
            return
        because = f"a monitor alarm {alarm.name} in state ALARM triggered policy {policy.name}"
        wanted = self._wanted(policy, group, value, float(alarm.threshold), now, low=alarm.name.rfind("AlarmLow-") > 0)
        if wanted is not None:
            self._scale(policy, group, wanted, because, now)

    def _wanted(
        self, policy: Any, group: Group, value: float | None, threshold: float, now: float, *, low: bool
    ) -> int | None:
        """The capacity that a policy wants; `None`: it wants nothing now."""
        desired = group.desired_capacity or 0
        if policy.policy_type == "SimpleScaling":
            cooldown = self._cooldowns.get(group.arn)
            cold = cooldown is None or (cooldown.over is not None and cooldown.over <= now)
            if not cold or not _is_steady(group):
                return None
            return adjusted(policy.adjustment_type, desired, int(policy.scaling_adjustment), _least(policy))
        warming = self._warming(group, now)
        if policy.policy_type == "StepScaling":
            adjustment = step(policy.step_adjustments or [], (value or 0.0) - threshold)
            if adjustment is None:
                return None
            base = desired - units(warming) if adjustment > 0 and policy.adjustment_type != "ExactCapacity" else desired
            wanted = adjusted(policy.adjustment_type, base, adjustment, _least(policy))
            return None if wanted < desired and warming else wanted
        return None if value is None else _tracking(policy, group, value, warming, low=low)

    def _warming(self, group: Group, now: float) -> list[Member]:
        """The instances that a policy has added and that start or warm up. Others do not warm up."""

        def ready(one: Member, seconds: float) -> bool:
            return one.in_service is not None and one.in_service + self._clock.lasts(seconds) <= now

        growths = self._growths.get(group.arn, [])
        return [
            one for one in group.live if any(one.launched >= since and not ready(one, long) for since, long in growths)
        ]

    def _scale(self, policy: Any, group: Group, wanted: int, because: str, now: float) -> None:
        before = group.desired_capacity or 0
        group.scale(wanted, because, now)
        after = group.desired_capacity or 0
        if after != before and policy.policy_type == "SimpleScaling":
            seconds = GRACE if policy.cooldown is None else float(policy.cooldown)
            self._cooldowns[group.arn] = Cooldown(seconds)
        elif after > before:
            long = policy.estimated_instance_warmup or group.default_instance_warmup or group.default_cooldown or GRACE
            self._growths.setdefault(group.arn, []).append((now, float(long)))


def find(arn: str) -> Any:
    """Return the policy of an ARN; `None`: it is gone."""
    policies: list[Any] = [one for backend in regions.auto_scaling() for one in backend.policies.values()]
    return next((one for one in policies if one.arn == arn), None)


def _tracking(policy: Any, group: Group, value: float, warming: list[Member], *, low: bool) -> int | None:
    """Up at once, down by one instance at a time, and not while one warms up."""
    configuration = configured(policy)
    serving = units([one for one in group.live if one.in_service is not None and one not in warming])
    if not serving or (low and (warming or configuration.get("DisableScaleIn"))):
        return None
    desired = group.desired_capacity or 0
    wanted = tracked(serving, value, float(configuration["TargetValue"]))
    if low:
        return max(wanted, desired - 1) if wanted < desired else None
    return wanted if wanted > desired else None


def _group(policy: Any) -> Group | None:
    found = policy.autoscaling_backend.autoscaling_groups.get(policy.auto_scaling_group_name)
    return found if isinstance(found, Group) else None


def _is_steady(group: Group) -> bool:
    """Whether nothing starts and nothing ends."""
    settled = all(one.lifecycle_state in ("InService", "Standby") for one in group.instance_states)
    return settled and units(group.live) == (group.desired_capacity or 0)


def _least(policy: Any) -> int | None:
    return int(policy.min_adjustment_magnitude) if policy.min_adjustment_magnitude else None
