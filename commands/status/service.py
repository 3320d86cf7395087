"""The status of a service: one look at its groups, its load balancer and its state items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from commands.aws_access import Client, ClientMaker
from commands.lifetimes import Lifetime, ended_since, living
from commands.stack_state import DeployedGroup, StackError, StackState, groups_of
from commands.status.replicas import (
    Costs,
    EndedReplica,
    GroupStatus,
    ReplicaStatus,
    added,
    ended_replicas,
    month_begin,
    replica_statuses,
)
from infra.preflight.aws_errors import answer_or
from infra.readiness import Awaited, Clients, clients_from
from infra.readiness.launch_failures import explain_launch_failure
from infra.readiness.looking import GroupGone, Looker
from infra.readiness.progress import state_text
from infra.readiness.seen import Seen, together
from infra.readiness.verdict import healthy_replicas

StateOfService = Literal["serving", "starting", "failed", "asleep", "stopped"]
"""`serving`: a replica is healthy. `failed`: every replica has stopped for good. `asleep`: it has no replica, as its
configuration allows. `stopped`: it has no replica, although its plan has some. `starting`: anything else."""


@dataclass(frozen=True, kw_only=True)
class ServiceStatus:
    """One service."""

    stack: str
    run: str
    region: str
    url: str | None
    """`None`: no `pulumi up` has succeeded yet."""
    model: str | None
    """The name that clients send as `model`; `None`: it has no model, or no `pulumi up` has succeeded yet."""
    state: StateOfService
    healthy: int
    """Replicas that serve."""
    desired: int
    minimum: int
    maximum: int
    groups: tuple[GroupStatus, ...] = ()
    """Empty: all replicas are in one group."""
    replicas: tuple[ReplicaStatus, ...]
    """Those of a group are together."""
    roll: str | None
    """The roll in progress: `InProgress, 50 %`."""
    problem: str | None
    """The last problem and its cause; `None`: none is known."""
    ended: tuple[EndedReplica, ...]
    """Replicas that have ended in this month."""
    list_price: Costs
    """The sum over all replicas, also over those that have ended."""
    unanswered: tuple[str, ...]
    """What AWS did not say, each with the reason."""


def look_at_service(state: StackState, clients: ClientMaker, now: datetime) -> ServiceStatus:
    """Return the status of a service's stack. Raises `StackError`, and what boto3 raises."""
    groups = groups_of(state)
    awaited = groups[0].awaited
    client = clients(awaited.region, state.profile)
    made = clients_from(client)
    looks = [_look(group.awaited, made) for group in groups]
    seen = together(looks)
    unanswered = list(seen.unanswered)
    known = answer_or(lambda: living(made.ec2, seen.group.replicas), (), "ec2:DescribeInstances", unanswered)
    lifetimes = {one.instance: one for one in known}
    named = list(zip((group.awaited.replica_group for group in groups), looks, strict=True))
    replicas = tuple(one for name, look in named for one in replica_statuses(look, lifetimes, now, name))
    gone = [one for group in groups for one in _ended(client, group, now, unanswered)]
    ended = ended_replicas(sorted(gone, key=lambda one: (one.began, one.instance)), now)
    refresh = seen.refresh
    return ServiceStatus(
        stack=state.name,
        run=awaited.run,
        region=awaited.region,
        url=state.outputs.get("url"),
        model=state.outputs.get("model"),
        state=_state(sum(group.awaited.minimum for group in groups), seen),
        healthy=len(healthy_replicas(seen)),
        desired=seen.group.desired,
        minimum=seen.group.minimum,
        maximum=seen.group.maximum,
        groups=tuple(_group(name, look) for name, look in named if name is not None),
        replicas=replicas,
        roll=f"{refresh.status}, {refresh.percent} %" if refresh is not None and refresh.going else None,
        problem=next(_problems(looks), None),
        ended=ended,
        list_price=added([one.list_price for one in (*replicas, *ended) if one.list_price is not None]),
        unanswered=tuple(dict.fromkeys(unanswered)),
    )


def _group(name: str, seen: Seen) -> GroupStatus:
    group = seen.group
    return GroupStatus(
        name=name,
        healthy=len(healthy_replicas(seen)),
        desired=group.desired,
        minimum=group.minimum,
        maximum=group.maximum,
    )


def _look(awaited: Awaited, clients: Clients) -> Seen:
    try:
        return Looker(awaited, clients).look()
    except GroupGone:
        raise StackError(
            f"the Auto Scaling group {awaited.group} of {awaited.stack} does not exist in {awaited.region}: run pulumi "
            "up --refresh"
        ) from None


def _ended(client: Client, deployed: DeployedGroup, now: datetime, unanswered: list[str]) -> tuple[Lifetime, ...]:
    def ask() -> tuple[Lifetime, ...]:
        return ended_since(
            month_begin(now),
            client("autoscaling"),
            client("logs"),
            group=deployed.awaited.group,
            log_group=deployed.awaited.log_group,
            bought=deployed.bought,
        )

    return answer_or(ask, (), "autoscaling:DescribeScalingActivities", unanswered)


def _state(minimum: int, seen: Seen) -> StateOfService:
    if healthy_replicas(seen):
        return "serving"
    final = {state.instance for state in seen.states if state.final}
    live = [replica.instance for replica in seen.group.replicas if not replica.leaving]
    if live:
        return "failed" if final.issuperset(live) else "starting"
    if seen.group.desired > 0:
        return "starting"
    return "asleep" if minimum == 0 else "stopped"


def _problems(looks: Sequence[Seen]) -> Iterator[str]:
    """Yield problems of all groups: those of the present first, the newest of each kind first."""
    seen = together(looks)
    here = [replica.instance for replica in seen.group.replicas]
    causes = {state.instance: state for state in seen.states if state.cause is not None}
    for instance in reversed(here):
        if instance in causes:
            yield f"{instance}: {state_text(causes[instance])}"
    for look in looks:
        launches = [activity for activity in look.activities if activity.ends is None]
        if launches and launches[-1].failed:
            failure = explain_launch_failure(launches[-1].message)
            yield failure.sentence if failure.remedy is None else f"{failure.sentence}; {failure.remedy}"
    for target in seen.targets:
        if target.state == "unhealthy" and target.instance in here:
            yield f"{target.instance}: the health check does not succeed ({target.description})"
    for refresh in (look.refresh for look in looks):
        if refresh is not None and refresh.status in ("Failed", "RollbackFailed", "RollbackSuccessful"):
            reason = f": {refresh.reason}" if refresh.reason else ""
            yield f"the last roll ended with the status {refresh.status} at {refresh.percent} %{reason}"
    for instance, state in reversed(causes.items()):
        yield f"{instance}, which has ended: {state_text(state)}"
