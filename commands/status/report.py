"""A status as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from commands.columns import table
from commands.status.collecting import Status
from commands.status.gateway import HOURS, GatewayStatus
from commands.status.local_runs import LocalRun
from commands.status.replicas import Costs, EndedReplica, ReplicaStatus, added
from commands.status.service import ServiceStatus
from infra.configuration.problem import printable
from infra.planning.text import number

HEADER = ("RUN", "STATE", "TYPE", "ZONE", "SPOT", "AGE", "PRICE/H", "TODAY", "MONTH")
LOCAL_HEADER = ("RUN", "STATE", "AGE", "URL", "MODEL")
_NUMBERS = (5, 6, 7, 8)
"""Columns of `HEADER` that are numbers."""


def report(status: Status) -> str:
    """Return a status for a person. No final newline."""
    parts: list[str] = []
    if status.services:
        parts += [_services(status), "\n".join(_about_services(status.services))]
    parts += ["\n".join(_gateway(gateway)) for gateway in status.gateways]
    if status.local:
        rows = [LOCAL_HEADER, *(_local_row(run, status.at) for run in status.local)]
        servers = "\n".join(f"{run.run}: {printable(run.server)}" for run in status.local)
        parts.append(f"On this machine, by make local:\n{table(rows)}\n{servers}")
    if status.not_deployed:
        parts.append(f"Not deployed: {', '.join(status.not_deployed)}")
    parts += [f"{one.stack or 'stacks'}: not known: {one.why}" for one in status.unknown]
    if status.services:
        parts.append(_prices(status))
    return "\n\n".join(parts) or "Nothing is deployed, and make local does not run."


def _services(status: Status) -> str:
    rows: list[tuple[str, ...]] = [HEADER]
    for service in status.services:
        rows.append(_service_row(service))
        rows += [_replica_row(replica, status.at) for replica in service.replicas]
        if service.ended:
            rows.append(_ended_row(service.ended))
    return table(rows, right=_NUMBERS)


def _service_row(service: ServiceStatus) -> tuple[str, ...]:
    state = f"{service.state}: {service.healthy} of {service.desired} healthy" if service.desired else service.state
    if service.roll is not None:
        state = f"{state}, roll: {service.roll}"
    counted = (*service.replicas, *service.ended)
    costs = _cost_cells(service.list_price, sign=_sign(counted))
    if counted and not any(one.list_price for one in counted):
        costs = ("?", "?", "?")
    return service.run, state, "", "", "", "", *costs


def _replica_row(replica: ReplicaStatus, now: datetime) -> tuple[str, ...]:
    step = replica.step if replica.percent is None else f"{replica.step}, {replica.percent} %"
    told = replica.health not in ("healthy", "leaving") and step is not None
    return (
        f"  {replica.instance}",
        printable(f"{replica.health}: {step}" if told else replica.health),
        replica.type,
        replica.zone,
        "?" if replica.spot is None else "yes" if replica.spot else "no",
        "?" if replica.launched is None else _age(now - replica.launched),
        *(("?", "?", "?") if replica.list_price is None else _cost_cells(replica.list_price, sign=_sign([replica]))),
    )


def _ended_row(ended: Sequence[EndedReplica]) -> tuple[str, ...]:
    costs = [one.list_price for one in ended if one.list_price is not None]
    _, today, month = _cost_cells(added(costs), sign=_sign(ended)) if costs else ("?", "?", "?")
    return f"  ended this month: {len(ended)}", "", "", "", "", "", "", today, month


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
            yield f"  replicas: {service.minimum} to {service.maximum}"
        if service.problem is not None:
            yield f"  last problem: {printable(service.problem)}"
        yield from _unanswered(service.unanswered)


def _gateway(gateway: GatewayStatus) -> Iterator[str]:
    yield f"Gateway {gateway.stack}: {gateway.url or 'no pulumi up has succeeded yet'}"
    if gateway.keys is not None:
        yield f"  keys: {_listed(gateway.keys)}"
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
    return run.run, "serving", _age(now - run.since), run.url, printable(run.model or "-")


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
