"""Scaling activities."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

from cloud.control_plane.groups.wording import moment

OVER = ("Successful", "Failed", "Cancelled")


@dataclass(kw_only=True)
class Activity:
    """One activity. The names of its members are those of the API, in moto's spelling."""

    auto_scaling_group_name: str
    auto_scaling_group_arn: str
    description: str
    cause: str
    start_time: datetime
    details: str = "{}"
    status_code: str = "InProgress"
    status_message: str | None = None
    progress: int = 0
    end_time: datetime | None = None
    activity_id: str = field(default_factory=lambda: str(uuid4()))

    def goes_on(self, status: str, progress: int, note: str = "") -> None:
        """Note that the activity waits for something. One that has ended does not change."""
        if self.status_code in OVER:
            return
        self.status_code, self.progress = status, progress
        self.description = self.description.partition(" - ")[0] + (f" - {note}" if note else "")

    def ends(self, now: float, status: str = "Successful", message: str = "") -> None:
        """Note that the activity has ended. `message`: why it failed. One that has ended does not change."""
        if self.status_code in OVER:
            return
        self.goes_on(status, 100)
        self.end_time = moment(now)
        if message:
            self.status_message = message
            self.description += f".  Status Reason: {message}"


def place(subnet: str | None, zone: str) -> str:
    """The details of an activity."""
    return json.dumps(
        {"Subnet ID": subnet, "Availability Zone": zone} if subnet else {"Availability Zone": zone},
        separators=(",", ":"),
    )
