"""The replicas of a service, as `make status` shows them: from one look at AWS to plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from infra.planning.catalog import read_catalog
from infra.readiness.progress import target_text
from infra.readiness.seen import Replica, Seen, State, Target


class Machines(Protocol):
    """boto3's `ec2`."""

    def describe_instances(self, *, Filters: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]: ...


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What EC2 says about an instance."""

    launched: datetime
    spot: bool


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
    list_price: Costs | None
    """`None`: the catalog does not have the type, or the time of launch is not known. A spot instance costs less."""


def machines(ec2: Machines, seen: Seen) -> Mapping[str, Machine]:
    """Return what EC2 says about the replicas, by instance. Raises what boto3 raises."""
    names = [replica.instance for replica in seen.group.replicas]
    if not names:
        return {}
    found = ec2.describe_instances(Filters=[{"Name": "instance-id", "Values": names}])
    return {
        instance["InstanceId"]: Machine(
            launched=instance["LaunchTime"], spot=instance.get("InstanceLifecycle") == "spot"
        )
        for reservation in found["Reservations"]
        for instance in reservation["Instances"]
    }


def replica_statuses(seen: Seen, known: Mapping[str, Machine], now: datetime) -> tuple[ReplicaStatus, ...]:
    """Return every replica of the group, the oldest first."""
    targets = {target.instance: target for target in seen.targets}
    states = {state.instance: state for state in seen.states}
    found = [
        _status(replica, targets.get(replica.instance), states.get(replica.instance), known.get(replica.instance), now)
        for replica in seen.group.replicas
    ]
    return tuple(sorted(found, key=lambda one: (one.launched or now, one.instance)))


def added(costs: Sequence[Costs]) -> Costs:
    """Return the sum of costs."""
    return Costs(
        an_hour=sum(cost.an_hour for cost in costs),
        today=sum(cost.today for cost in costs),
        this_month=sum(cost.this_month for cost in costs),
    )


def _status(
    replica: Replica, target: Target | None, state: State | None, machine: Machine | None, now: datetime
) -> ReplicaStatus:
    return ReplicaStatus(
        instance=replica.instance,
        type=replica.type,
        zone=replica.zone,
        spot=None if machine is None else machine.spot,
        launched=None if machine is None else machine.launched,
        health="leaving" if replica.leaving else (target and target_text(target)) or "starting",
        step=None if state is None else state.step,
        percent=None if state is None else state.percent,
        cause=None if state is None else state.cause,
        list_price=None if machine is None else _costs(replica.type, machine.launched, now),
    )


def _costs(type: str, launched: datetime, now: datetime) -> Costs | None:
    price = next((one.price for one in read_catalog() if one.name == type), None)
    if price is None:
        return None
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)

    def since(begin: datetime) -> float:
        return price * max((now - max(begin, launched)).total_seconds(), 0) / 3600

    return Costs(an_hour=price, today=since(midnight), this_month=since(midnight.replace(day=1)))
