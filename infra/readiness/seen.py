"""What AWS says about a service at one moment, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from infra.readiness.figures import Figures

GOING = ("Pending", "InProgress", "Baking", "Cancelling", "RollbackInProgress")
"""Statuses of an instance refresh that has not ended (botocore: InstanceRefreshStatus)."""
FROZEN = ("Launch", "Terminate")
"""Processes that are suspended when an update failed and replicas still serve. `Terminate` is one of them, because a
group with one instance too many can end one that serves: the zone with the most instances comes before its own policy
(EC2 Auto Scaling, termination policies)."""


@dataclass(frozen=True, kw_only=True)
class Replica:
    """An instance of the group."""

    instance: str
    type: str
    zone: str
    version: int | None
    """The version of its launch template; `None`: not known."""
    leaving: bool
    """Whether the group removes it now, or will because it counts it as unhealthy."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """What the load balancer says about an instance."""

    instance: str
    state: str
    """`initial`, `healthy`, `unhealthy`, `draining`, … (botocore: TargetHealthStateEnum)."""
    reason: str
    """AWS's code: `Target.Timeout`, … (botocore: TargetHealthReasonEnum)."""
    description: str
    """The same in words."""


@dataclass(frozen=True, kw_only=True)
class Activity:
    """A scaling activity: an instance that Auto Scaling started or ended, or tried to."""

    id: str
    failed: bool
    ends: str | None
    """The instance that it ends; `None`: it starts one."""
    message: str
    """AWS's own words: why it failed, or why an instance was ended."""


@dataclass(frozen=True, kw_only=True)
class Refresh:
    """An instance refresh: it replaces the group's instances by those of a newer version."""

    id: str
    status: str
    reason: str
    percent: int

    @property
    def going(self) -> bool:
        return self.status in GOING


@dataclass(frozen=True, kw_only=True)
class State:
    """The state item of a replica (infra.planning.boot)."""

    instance: str
    step: str
    percent: int | None
    """How much of the step is done; `None`: not known."""
    cause: str | None
    """What failed; `None`: nothing did."""
    final: bool
    """Whether another try cannot help."""
    output: str | None = None
    """The last lines that the container wrote, without secrets; `None`: it wrote nothing, or serves."""
    figures: Figures | None = None
    """What it measured last; `None`: nothing since it said its step."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """The group and its instances."""

    minimum: int
    desired: int
    maximum: int
    suspended: bool
    """Whether it is not allowed to start or end instances, because a failed update was stopped."""
    version: int | None
    """The version of the launch template for new instances; `None`: not a number."""
    replicas: tuple[Replica, ...]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One look at everything."""

    group: Group
    targets: tuple[Target, ...]
    activities: tuple[Activity, ...]
    """The oldest first."""
    refresh: Refresh | None
    """The newest instance refresh; `None`: the group never had one."""
    states: tuple[State, ...]
    """In the order in which the replicas said them."""
    unanswered: tuple[str, ...]
    """The questions that AWS did not answer this time, each with the reason."""


def together(looks: Sequence[Seen]) -> Seen:
    """Return looks at all groups of a service's replicas as one. They have the same load balancer and table. A refresh
    that has not ended counts first."""
    first, groups = looks[0], [look.group for look in looks]
    if len(looks) == 1:
        return first
    versions = {group.version for group in groups}
    refreshes = [look.refresh for look in looks if look.refresh is not None]
    return Seen(
        group=Group(
            minimum=sum(group.minimum for group in groups),
            desired=sum(group.desired for group in groups),
            maximum=sum(group.maximum for group in groups),
            suspended=any(group.suspended for group in groups),
            version=versions.pop() if len(versions) == 1 else None,
            replicas=tuple(replica for group in groups for replica in group.replicas),
        ),
        targets=first.targets,
        activities=tuple(activity for look in looks for activity in look.activities),
        refresh=next((one for one in refreshes if one.going), refreshes[-1] if refreshes else None),
        states=first.states,
        unanswered=tuple(dict.fromkeys(one for look in looks for one in look.unanswered)),
    )
