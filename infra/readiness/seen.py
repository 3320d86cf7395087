"""What AWS says of a service at one moment, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

GOING = ("Pending", "InProgress", "Baking", "Cancelling", "RollbackInProgress")
"""Statuses of an instance refresh that has not ended (botocore: InstanceRefreshStatus)."""
FROZEN = ("Launch", "Terminate")
"""Processes that are suspended where an update failed and something still serves. Without `Terminate`, a group with one
instance too many would end the one of the oldest launch template first, which is the one that serves (EC2 Auto Scaling,
default termination policy)."""


@dataclass(frozen=True, kw_only=True)
class Replica:
    """An instance of the group."""

    instance: str
    type: str
    zone: str
    version: int | None
    """Of its launch template."""
    leaving: bool
    """Whether the group is taking it away, or will, since it takes it for unhealthy."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """What the load balancer says of an instance."""

    instance: str
    state: str
    """`initial`, `healthy`, `unhealthy`, `draining`, … (botocore: TargetHealthStateEnum)."""
    reason: str
    """AWS's code: `Target.Timeout`, … (botocore: TargetHealthReasonEnum)."""
    description: str
    """The same in words."""


@dataclass(frozen=True, kw_only=True)
class Activity:
    """Something that Auto Scaling tried."""

    id: str
    failed: bool
    ends: str | None
    """The instance that it takes away; `None`: it starts one."""
    message: str
    """AWS's own words: why it failed, or why an instance was taken away."""


@dataclass(frozen=True, kw_only=True)
class Refresh:
    """Replacing the group's instances by those of a newer version."""

    id: str
    status: str
    reason: str
    percent: int

    @property
    def going(self) -> bool:
        return self.status in GOING


@dataclass(frozen=True, kw_only=True)
class State:
    """What a booting replica says of itself (infra.planning.boot)."""

    instance: str
    step: str
    percent: int | None
    """Of the step."""
    cause: str | None
    """What failed."""
    final: bool
    """Whether trying again cannot help."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """The group and its instances."""

    minimum: int
    desired: int
    maximum: int
    suspended: bool
    """Whether it may not start or end instances: a failed update was stopped."""
    version: int | None
    """Of the launch template that it starts instances of; `None`: not a number."""
    replicas: tuple[Replica, ...]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One look at everything."""

    group: Group
    targets: tuple[Target, ...]
    activities: tuple[Activity, ...]
    """Oldest first."""
    refresh: Refresh | None
    """The newest."""
    states: tuple[State, ...]
    unanswered: tuple[str, ...]
    """Questions that AWS did not answer this time, each with why; the rest is there."""
