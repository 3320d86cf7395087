"""The replicas of a service, as `make status` shows them: from one look at AWS to plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from commands.lifetimes import Lifetime
from commands.spending import hours, instance_type
from infra.readiness.figures import Figures
from infra.readiness.progress import target_text
from infra.readiness.seen import Replica, Seen, State, Target


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What replicas cost at the catalog's on-demand list prices, in US dollars."""

    an_hour: float
    today: float
    """Since midnight in UTC."""
    this_month: float
    """Since the first of the month in UTC."""


@dataclass(frozen=True, kw_only=True)
class ReplicaStatus:
    """One replica."""

    instance: str
    type: str
    zone: str
    spot: bool | None
    """`None`: EC2 did not say."""
    launched: datetime | None
    """`None`: EC2 did not say."""
    health: str
    """What the load balancer says: `healthy`, `starting`, `not healthy yet (…)`; or `leaving`."""
    step: str | None
    """What the replica last said about its start; `None`: nothing."""
    percent: int | None
    """How much of the step is done; `None`: not known."""
    cause: str | None
    """What failed on the replica; `None`: nothing did."""
    final: bool
    """Whether another try cannot help, so that the replica has stopped."""
    figures: Figures | None
    """What it last measured, once a minute; `None`: nothing yet."""
    list_price: Costs | None
    """`None`: the catalog does not have the type, or the time of launch is not known. A spot instance costs less."""
    group: str | None = None
    """The name of its group of replicas; `None`: the service has only one group."""


@dataclass(frozen=True, kw_only=True)
class GroupStatus:
    """One of several groups of replicas."""

    name: str
    healthy: int
    """Replicas that serve."""
    desired: int
    minimum: int
    maximum: int


@dataclass(frozen=True, kw_only=True)
class EndedReplica:
    """A replica that has ended in this month, in UTC."""

    instance: str
    type: str | None
    """`None`: nothing says it."""
    assumed: bool
    """Whether `type` is the plan's first offer, because nothing says which one it was."""
    spot: bool | None
    """`None`: not known."""
    launched: datetime
    """The begin of the month, if it began before that."""
    ended: datetime
    list_price: Costs | None
    """`None`: the catalog does not have the type. A spot instance costs less."""


def replica_statuses(
    seen: Seen, known: Mapping[str, Lifetime], now: datetime, group: str | None = None
) -> tuple[ReplicaStatus, ...]:
    """Return every replica of a group, the oldest first. `group`: its name, if there are several."""
    targets = {target.instance: target for target in seen.targets}
    states = {state.instance: state for state in seen.states}
    found = [
        _status(
            replica,
            targets.get(replica.instance),
            states.get(replica.instance),
            known.get(replica.instance),
            now,
            group,
        )
        for replica in seen.group.replicas
    ]
    return tuple(sorted(found, key=lambda one: (one.launched or now, one.instance)))


def ended_replicas(found: Sequence[Lifetime], now: datetime) -> tuple[EndedReplica, ...]:
    """Return replicas that have ended, with their costs."""
    return tuple(
        EndedReplica(
            instance=one.instance,
            type=one.type,
            assumed=one.assumed,
            spot=one.spot,
            launched=one.began,
            ended=one.ended or now,
            list_price=_costs(one, now),
        )
        for one in found
    )


def month_begin(now: datetime) -> datetime:
    """Return the first moment of the month in UTC."""
    return now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def added(costs: Sequence[Costs]) -> Costs:
    """Return the sum of costs."""
    return Costs(
        an_hour=sum(cost.an_hour for cost in costs),
        today=sum(cost.today for cost in costs),
        this_month=sum(cost.this_month for cost in costs),
    )


def _status(
    replica: Replica,
    target: Target | None,
    state: State | None,
    lifetime: Lifetime | None,
    now: datetime,
    group: str | None,
) -> ReplicaStatus:
    return ReplicaStatus(
        instance=replica.instance,
        type=replica.type,
        zone=replica.zone,
        spot=None if lifetime is None else lifetime.spot,
        launched=None if lifetime is None else lifetime.began,
        health="leaving" if replica.leaving else (target and target_text(target)) or "starting",
        step=None if state is None else state.step,
        percent=None if state is None else state.percent,
        cause=None if state is None else state.cause,
        final=state is not None and state.final,
        figures=None if state is None else state.figures,
        list_price=None if lifetime is None else _costs(lifetime, now),
        group=group,
    )


def _costs(lifetime: Lifetime, now: datetime) -> Costs | None:
    known = instance_type(lifetime.type)
    if known is None:
        return None
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return Costs(
        an_hour=known.price if lifetime.ended is None else 0,
        today=known.price * hours(lifetime, midnight, now),
        this_month=known.price * hours(lifetime, month_begin(now), now),
    )
