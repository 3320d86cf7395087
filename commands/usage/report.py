"""Usage as a table for a person, and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence

from commands.columns import table
from commands.usage.costs import Basis, Row, per_million, total
from commands.usage.requests import By
from infra.configuration.problem import printable
from infra.planning.catalog import PRICES_AS_OF, PRICES_REGION
from infra.planning.text import number

HEADER = ("REQUESTS", "ERRORS", "TOKENS IN", "TOKENS OUT", "TTFT P50", "TTFT P95")
COST_HEADER = ("GPU HOURS", "COST", "$/1M TOKENS")
CSV_HEADER = (
    "requests",
    "errors",
    "prompt_tokens",
    "completion_tokens",
    "ttft_p50_ms",
    "ttft_p95_ms",
    "gpu_hours",
    "dollars",
    "price_basis",
    "dollars_per_million_tokens",
)
_SIGNS: Mapping[Basis, str] = {"list": "", "spot": "<", "assumed": "~"}


def report(by: By, rows: Sequence[Row], *, costs: bool) -> str:
    """Return the table and what its signs mean. No final newline. `costs`: whether it has columns of costs."""
    header = (by.upper(), *HEADER, *(COST_HEADER if costs else ()))
    lines = [*(_cells(row, (row,), costs=costs) for row in rows), _cells(total(rows), rows, costs=costs)]
    shown = table([header, *lines], right=tuple(range(1, len(header))))
    return "\n\n".join([shown, "\n".join(_notes(by, rows))]) if costs else shown


def as_csv(by: By, rows: Sequence[Row]) -> str:
    """Return rows as CSV with a header, without a total. A cell without a value is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((by, *CSV_HEADER))
    for row in rows:
        one, cost = row.requests, row.cost
        writer.writerow(
            (
                printable(one.name or ""),
                one.requests,
                one.errors,
                "" if one.prompt_tokens is None else one.prompt_tokens,
                "" if one.completion_tokens is None else one.completion_tokens,
                _raw(one.ttft_p50),
                _raw(one.ttft_p95),
                _raw(None if cost is None else cost.gpu_hours),
                _raw(None if cost is None else cost.dollars),
                "" if cost is None else cost.basis,
                _raw(per_million([row])),
            )
        )
    return text.getvalue()


def _cells(row: Row, parts: Sequence[Row], *, costs: bool) -> tuple[str, ...]:
    """Return the cells of a row. `parts`: the rows that it sums up."""
    one, cost = row.requests, row.cost
    cells = (
        printable(one.name or "-"),
        f"{one.requests:,}",
        f"{one.errors:,}",
        _count(one.prompt_tokens),
        _count(one.completion_tokens),
        _milliseconds(one.ttft_p50),
        _milliseconds(one.ttft_p95),
    )
    if not costs:
        return cells
    if cost is None:
        return (*cells, "-", "-", "-")
    sign, million = _SIGNS[cost.basis], per_million(parts)
    about = "~" if cost.basis == "assumed" else ""
    each = "-" if million is None else f"{sign}${million:,.2f}"
    return (*cells, f"{about}{cost.gpu_hours:,.1f}", f"{sign}${cost.dollars:,.2f}", each)


def _notes(by: By, rows: Sequence[Row]) -> Iterator[str]:
    bases = {row.cost.basis for row in rows if row.cost is not None}
    yield f"Costs are on-demand list prices of {PRICES_REGION} on {PRICES_AS_OF}. They count all hours of replicas,"
    yield "busy or not. They do not count disks, data and the gateway."
    if by in ("key", "model"):
        yield f"Each run's costs are shared by the time that its requests took, for each {by}."
    if "spot" in bases:
        yield "<: a replica can be spot, which costs less."
    if "assumed" in bases:
        yield "~: a replica that has ended does not say its type. It counts as the plan's first offer."
    if any(row.cost is None for row in rows):
        yield "-: not known, or no cost. The total leaves it out."


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f} ms"


def _raw(value: float | None) -> str:
    return "" if value is None else number(value)
