"""A status as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from commands.columns import table
from commands.gateway_keys import described
from commands.status.collecting import Status
from commands.status.gateway import HOURS, GatewayStatus
from commands.status.local_runs import LocalRun
from commands.status.replicas import Costs, EndedReplica, GroupStatus, ReplicaStatus, added
from commands.status.service import ServiceStatus
from infra.configuration.problem import printable
from infra.planning.text import number
from infra.readiness.figures import Figures

HEADER = ("RUN", "STATE", "TYPE", "ZONE", "SPOT", "AGE", "GPU %", "MEM %", "REQ/S", "TOK/S")
COSTS_HEADER = ("RUN", "PRICE/H", "TODAY", "MONTH")
LOCAL_HEADER = ("RUN", "STATE", "AGE", "REQ/S", "TOK/S", "URL", "MODEL")
_NUMBERS, _COSTS_NUMBERS, _LOCAL_NUMBERS = (5, 6, 7, 8, 9), (1, 2, 3), (2, 3, 4)
"""Columns of numbers."""
_LONGEST_STATE = 23
"""Characters of a state of a replica in the table, which then fits into 120 columns. A longer one is whole below it."""
_RECENT = timedelta(minutes=3)
"""How old figures in the table can be. Replicas write them once a minute."""


def report(status: Status) -> str:
    """Return a status for a person. No final newline."""
    parts: list[str] = []
    if status.services:
        parts += [_services(status), "\n".join(_about_services(status.services))]
    parts += ["\n".join(_gateway(gateway, status.at)) for gateway in status.gateways]
    if status.local:
        rows = table([LOCAL_HEADER, *(_local_row(run, status.at) for run in status.local)], right=_LOCAL_NUMBERS)
        servers = "\n".join(f"{run.run}: {printable(run.server)}" for run in status.local)
        parts.append(f"On this machine, by make local:\n{rows}\n{servers}")
    if status.not_deployed:
        parts.append(f"Not deployed: {', '.join(status.not_deployed)}")
    parts += [f"{one.stack or 'stacks'}: not known: {one.why}" for one in status.unknown]
    if status.services:
        parts.append(f"{_costs(status.services)}\n{_prices(status)}")
    return "\n\n".join(parts) or "Nothing is deployed, and make local does not run."


def _services(status: Status) -> str:
    rows: list[tuple[str, ...]] = [HEADER]
    for service in status.services:
        rows.append(_service_row(service, status.at))
        rows += [_replica_row(replica, status.at) for replica in service.replicas if replica.group is None]
        for group in service.groups:
            rows.append((f"  group {group.name}", _healthy(group) or "no replica", *[""] * 8))
            members = (replica for replica in service.replicas if replica.group == group.name)
            rows += [_replica_row(replica, status.at) for replica in members]
    return table(rows, right=_NUMBERS)


def _service_row(service: ServiceStatus, now: datetime) -> tuple[str, ...]:
    state = f"{service.state}: {_healthy(service)}" if service.desired else service.state
    found = [figures for replica in service.replicas if (figures := _recent(replica, now)) is not None]
    requests = [each.requests_per_second for each in found if each.requests_per_second is not None]
    tokens = [each.tokens_per_second for each in found if each.tokens_per_second is not None]
    rates = (_rate(sum(requests) if requests else None), _rate(sum(tokens) if tokens else None))
    return service.run, state, "", "", "", "", "", "", *rates


def _healthy(counted: ServiceStatus | GroupStatus) -> str:
    return f"{counted.healthy} of {counted.desired} healthy" if counted.desired else ""


def _replica_row(replica: ReplicaStatus, now: datetime) -> tuple[str, ...]:
    found = _recent(replica, now)
    state = _state(replica)
    return (
        f"{'  ' if replica.group is None else '    '}{replica.instance}",
        state if len(state) <= _LONGEST_STATE else f"{state[: _LONGEST_STATE - 1]}…",
        replica.type,
        replica.zone,
        "?" if replica.spot is None else "yes" if replica.spot else "no",
        "?" if replica.launched is None else _age(now - replica.launched),
        *(
            ("", "", "", "")
            if found is None
            else (
                _percent(found.gpu_use),
                _percent(found.gpu_memory),
                _rate(found.requests_per_second),
                _rate(found.tokens_per_second),
            )
        ),
    )


def _state(replica: ReplicaStatus) -> str:
    """Return how a replica is: what the load balancer says, or what the replica itself says while it starts."""
    if replica.final:
        return "stopped"
    if replica.health in ("healthy", "leaving") or not replica.step:
        return printable(replica.health)
    step = replica.step if replica.percent is None else f"{replica.step}, {replica.percent} %"
    return printable(step if replica.cause is None else f"{step}: failed, tries again")


def _recent(replica: ReplicaStatus, now: datetime) -> Figures | None:
    figures = replica.figures
    return None if figures is None or now.timestamp() - figures.at > _RECENT.total_seconds() else figures


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"


def _rate(value: float | None) -> str:
    """Return a number a second with about two digits that count."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 10 or not value else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def _costs(services: Sequence[ServiceStatus]) -> str:
    rows: list[tuple[str, ...]] = [COSTS_HEADER]
    for service in services:
        counted = (*service.replicas, *service.ended)
        unknown = counted and not any(one.list_price for one in counted)
        cells = ("?", "?", "?") if unknown else _cost_cells(service.list_price, sign=_sign(counted))
        rows.append((service.run, *cells))
        if service.ended:
            rows.append(_ended_row(service.ended))
    return table(rows, right=_COSTS_NUMBERS)


def _ended_row(ended: Sequence[EndedReplica]) -> tuple[str, ...]:
    costs = [one.list_price for one in ended if one.list_price is not None]
    _, today, month = _cost_cells(added(costs), sign=_sign(ended)) if costs else ("?", "?", "?")
    return f"  of these, ended this month: {len(ended)}", "", today, month


def _cost_cells(costs: Costs, *, sign: str) -> tuple[str, str, str]:
    return f"{sign}${number(costs.an_hour)}", f"{sign}${costs.today:,.2f}", f"{sign}${costs.this_month:,.2f}"


def _sign(counted: Sequence[ReplicaStatus | EndedReplica]) -> str:
    """What stands before the costs of replicas: `~` if the type of one is assumed, `<` if one can be spot, which costs
    less than the list price."""
    if any(isinstance(one, EndedReplica) and one.assumed for one in counted):
        return "~"
    return "<" if any(one.spot is not False for one in counted) else ""


def _about_services(services: Sequence[ServiceStatus]) -> Iterator[str]:
    for service in services:
        model = "" if service.model is None else f", model {service.model}"
        yield f"{service.run}: {service.url or 'no pulumi up has succeeded yet'}{model}"
        if service.minimum != service.maximum:
            each = (f"{group.name} {group.minimum} to {group.maximum}" for group in service.groups)
            yield f"  replicas: {service.minimum} to {service.maximum}" + (
                f" ({', '.join(each)})" if service.groups else ""
            )
        if service.roll is not None:
            yield f"  roll: {service.roll}"
        for replica in service.replicas:
            if len(state := _state(replica)) > _LONGEST_STATE:
                yield f"  {replica.instance}: {state}"
        if service.problem is not None:
            yield f"  last problem: {printable(service.problem)}"
        yield from _unanswered(service.unanswered)


def _gateway(gateway: GatewayStatus, now: datetime) -> Iterator[str]:
    yield f"Gateway {gateway.stack}: {gateway.url or 'no pulumi up has succeeded yet'}"
    if gateway.keys is not None:
        yield f"  keys: {', '.join(described(key, now) for key in gateway.keys) or 'none'}"
    if gateway.runs is not None:
        yield f"  runs: {_listed(gateway.runs)}"
    if gateway.claimed:
        yield f"  runs that have not served yet: {_listed(gateway.claimed)}"
    if gateway.certificate is not None:
        certificate = gateway.certificate
        until = "" if certificate.expires is None else f", expires {certificate.expires:%Y-%m-%d}"
        yield f"  certificate: {certificate.name}, {certificate.status}{until}"
    if gateway.function is not None:
        calls = gateway.function
        yield (
            f"  function in {HOURS} hours: {calls.requests:,} requests, {calls.errors:,} errors, "
            f"{calls.throttles:,} throttles"
        )
    yield from _unanswered(gateway.unanswered)


def _unanswered(questions: Iterable[str]) -> Iterator[str]:
    for question in questions:
        yield f"  AWS does not answer {question}"


def _local_row(run: LocalRun, now: datetime) -> tuple[str, ...]:
    rates = (_rate(run.requests_per_second), _rate(run.tokens_per_second))
    return run.run, run.state, _age(now - run.since), *rates, run.url, printable(run.model or "-")


def _prices(status: Status) -> str:
    counted = [one for service in status.services for one in (*service.replicas, *service.ended)]
    lines = [
        f"Prices are on-demand list prices of {status.prices_region} on {status.prices_as_of}. Spot costs less.",
        "TODAY and MONTH, in UTC, also count replicas that have ended. They do not count disks, data and the gateway.",
    ]
    if any(isinstance(one, EndedReplica) and one.assumed for one in counted):
        lines.append("~: a replica that has ended does not say its type. It counts as the plan's first offer.")
    if any(one.list_price is None for one in counted):
        lines.append("?: not in the catalog, or EC2 did not say.")
    return "\n".join(lines)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(printable(name) for name in names) or "none"


def _age(age: timedelta) -> str:
    """Return an age in its two largest units: `3d 4h`, `2h 5m`, `4m`."""
    minutes = max(int(age.total_seconds() // 60), 0)
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days}d {hours}h"
    return f"{hours}h {minutes % 60}m" if hours else f"{minutes}m"
