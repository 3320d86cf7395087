"""From requests and lifetimes of replicas to rows: what each run, key, model or day cost.

A run costs what its replicas cost while they were there, busy or not. With keys and models, each run's costs are shared
by the time that its requests took: that works for every server, also for one that generates no tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from commands.lifetimes import Lifetime
from commands.spending import dollars, gpu_hours, hours
from commands.usage.requests import By, Requests

Basis = Literal["list", "spot", "assumed"]
"""`list`: the list price is what an instance costs. `spot`: one can be spot, which costs less. `assumed`: the type of
one is assumed."""
UNUSED = "(unused)"
"""The row of what runs cost that answered no request."""
_BASES: tuple[Basis, ...] = ("list", "spot", "assumed")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What replicas cost, at list prices."""

    gpu_hours: float
    """An hour of an instance with four GPUs is four."""
    dollars: float
    basis: Basis


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the table."""

    requests: Requests
    cost: Cost | None
    """`None`: not known."""


Runs = Mapping[str, Sequence[Lifetime]]
"""Run -> its replicas."""


def rows(by: By, requests: Sequence[Requests], runs: Runs, begin: datetime, end: datetime) -> tuple[Row, ...]:
    """Return a row for each group of requests, and for what cost something without one. The days come in order, other
    rows begin with what cost most."""
    if by == "day":
        days = _merged(requests, _by_day(runs, begin, end))
        return tuple(sorted(days, key=lambda row: row.requests.name or ""))
    costs = {run: _cost(lifetimes, begin, end) for run, lifetimes in runs.items()}
    if by == "run":
        used = {one.name for one in requests}
        found = _merged(requests, {run: cost for run, cost in costs.items() if run in used or cost.gpu_hours})
    else:
        found = _merged(requests, _shared(requests, costs))
    return tuple(sorted(found, key=_most_first))


def total(found: Iterable[Row]) -> Row:
    """Return the sum of rows. Percentiles have no sum."""
    every = [row.requests for row in found]
    costs = [row.cost for row in found if row.cost is not None]
    return Row(
        requests=Requests(
            name="total",
            requests=sum(one.requests for one in every),
            errors=sum(one.errors for one in every),
            prompt_tokens=_sum(one.prompt_tokens for one in every),
            completion_tokens=_sum(one.completion_tokens for one in every),
            ttft_p50=None,
            ttft_p95=None,
            durations={},
        ),
        cost=_added(costs) if costs else None,
    )


def per_million(found: Iterable[Row]) -> float | None:
    """Return the dollars for a million tokens of some rows, in and out together; `None`: not known. A row whose cost is
    not known is left out, with its tokens."""
    known = [(row.requests, row.cost.dollars) for row in found if row.cost is not None]
    tokens = sum((one.prompt_tokens or 0) + (one.completion_tokens or 0) for one, _ in known)
    return sum(dollars for _, dollars in known) / tokens * 1e6 if tokens else None


def _merged(requests: Sequence[Requests], costs: Mapping[Any, Cost]) -> list[Row]:
    """Return a row for each group of requests, and for each name that only costs have."""
    known: dict[str | None, Cost] = dict(costs)
    found = [Row(requests=one, cost=known.pop(one.name, None)) for one in requests]
    return found + [Row(requests=_nothing(name), cost=cost) for name, cost in known.items()]


def _most_first(row: Row) -> tuple[float, int, str]:
    return -1 * (row.cost.dollars if row.cost else -1), -row.requests.requests, row.requests.name or ""


def _nothing(name: str | None) -> Requests:
    return Requests(
        name=name,
        requests=0,
        errors=0,
        prompt_tokens=None,
        completion_tokens=None,
        ttft_p50=None,
        ttft_p95=None,
        durations={},
    )


def _by_day(runs: Runs, begin: datetime, end: datetime) -> dict[str, Cost]:
    found: dict[str, Cost] = {}
    day = begin.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    while day < end:
        following = day + timedelta(days=1)
        cost = _added([_cost(lifetimes, max(day, begin), min(following, end)) for lifetimes in runs.values()])
        if cost.gpu_hours:
            found[f"{day:%Y-%m-%d}"] = cost
        day = following
    return found


def _shared(requests: Sequence[Requests], costs: Mapping[str, Cost]) -> dict[str | None, Cost]:
    """Return the part of each group in what the runs cost."""
    parts: dict[str | None, list[Cost]] = {}
    for run, cost in costs.items():
        whole = sum(one.durations.get(run, 0) for one in requests)
        if not whole and cost.gpu_hours:
            parts.setdefault(UNUSED, []).append(cost)
        for one in requests:
            if part := one.durations.get(run, 0):
                parts.setdefault(one.name, []).append(_part(cost, part / whole))
    return {name: _added(found) for name, found in parts.items()}


def _cost(lifetimes: Sequence[Lifetime], begin: datetime, end: datetime) -> Cost:
    counted = [one for one in lifetimes if hours(one, begin, end)]
    return _added(
        [
            Cost(
                gpu_hours=gpu_hours(one, begin, end) or 0,
                dollars=dollars(one, begin, end) or 0,
                basis="assumed" if one.assumed else "list" if one.spot is False else "spot",
            )
            for one in counted
        ]
    )


def _part(cost: Cost, part: float) -> Cost:
    return Cost(gpu_hours=cost.gpu_hours * part, dollars=cost.dollars * part, basis=cost.basis)


def _added(costs: Sequence[Cost]) -> Cost:
    return Cost(
        gpu_hours=sum(cost.gpu_hours for cost in costs),
        dollars=sum(cost.dollars for cost in costs),
        basis=_BASES[max((_BASES.index(cost.basis) for cost in costs), default=0)],
    )


def _sum(numbers: Iterable[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None
