"""Scheduled actions: they change a group's sizes at their times, which run by the real clock."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import FakeScheduledAction

from cloud.control_plane.groups import cron
from cloud.control_plane.groups.group import Group
from cloud.control_plane.groups.wording import moment

WHO = "a scheduled action"
LOG = logging.getLogger("cloud.control_plane")


class ScheduledAction(FakeScheduledAction):
    """A scheduled action, with its next time."""

    def __init__(self, group: Group, given: Mapping[str, Any], now: float) -> None:
        if all(given.get(key) is None for key in ("DesiredCapacity", "MaxSize", "MinSize")):
            raise ValidationError("At least one of MinSize, MaxSize or DesiredCapacity must be specified")
        begins, recurrence = _seconds(given.get("StartTime")), given.get("Recurrence")
        if begins is not None and begins < now:
            raise ValidationError("Given start time is in the past")
        self.ends = _seconds(given.get("EndTime"))
        super().__init__(
            group.name,
            given.get("DesiredCapacity"),
            given.get("MaxSize"),
            given.get("MinSize"),
            given["ScheduledActionName"],
            None,
            None,
            recurrence,
            given.get("TimeZone"),
        )
        self.scheduled_action_arn = (
            f"arn:aws:autoscaling:{group.region}:{group.account_id}:scheduledUpdateGroupAction:"
            f"{group.id}:autoScalingGroupName/{group.name}:scheduledActionName/{self.scheduled_action_name}"
        )
        self.next = begins
        if recurrence is not None:
            self.next = cron.after(recurrence, self.time_zone, max(now, (begins or now) - 1))

    @property
    def start_time(self) -> datetime | None:
        return None if self.next is None else moment(self.next)

    @start_time.setter
    def start_time(self, value: object) -> None:
        """moto sets it; the next time is what counts."""

    @property
    def end_time(self) -> datetime | None:
        return None if self.ends is None else moment(self.ends)

    @end_time.setter
    def end_time(self, value: object) -> None:
        """moto sets it; `ends` is what counts."""

    def act(self, group: Group, now: float) -> bool:
        """Change the sizes if it is time. Returns whether the action is over."""
        if self.next is None or (self.ends is not None and self.next > self.ends):
            return True
        if now < self.next:
            return False
        if not group.suspended("ScheduledActions"):
            try:
                group.resize(self.min_size, self.max_size, self.desired_capacity, WHO, now)
            except ValidationError as error:
                LOG.warning("%s: the scheduled action %s: %s", group.name, self.scheduled_action_name, error)
        self.next = None if self.recurrence is None else cron.after(self.recurrence, self.time_zone, now)
        return self.next is None


def _seconds(given: Any) -> float | None:
    if given is None:
        return None
    parsed = given if isinstance(given, datetime) else datetime.fromisoformat(str(given).replace("Z", "+00:00"))
    return parsed.timestamp()
