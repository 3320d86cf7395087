"""Queries of metric data, as GetMetricData and alarms have them: metrics, and expressions over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloud.control_plane.alarms.expressions import NotUnderstood, names, parse
from cloud.control_plane.alarms.functions import TimeSeries, Value, compute
from cloud.control_plane.alarms.series import Series, statistic

Grid = Callable[[float], Sequence[float]]
"""The starts of the periods of a length, the oldest first."""


@dataclass(frozen=True, kw_only=True)
class Query:
    """One metric or one expression."""

    id: str
    period: float | None
    """AWS's seconds; an expression can do without."""
    label: str | None = None
    returned: bool = True
    expression: str | None = None
    namespace: str = ""
    metric: str = ""
    dimensions: Mapping[str, str] | None = None
    stat: str = ""


def of_api(query: Mapping[str, Any]) -> Query:
    """Return a member of `MetricDataQueries`."""
    stat: Mapping[str, Any] = query.get("MetricStat") or {}
    metric: Mapping[str, Any] = stat.get("Metric") or {}
    period = stat.get("Period") or query.get("Period")
    return Query(
        id=query["Id"],
        period=None if period is None else float(period),
        label=query.get("Label"),
        returned=query.get("ReturnData") is not False,
        expression=query.get("Expression"),
        namespace=metric.get("Namespace", ""),
        metric=metric.get("MetricName", ""),
        dimensions={one["Name"]: one["Value"] for one in metric.get("Dimensions", [])},
        stat=stat.get("Stat", ""),
    )


def of_alarm(alarm: Any) -> list[Query]:
    """Return the queries of an alarm of moto. An alarm on a metric has one."""
    if not alarm.metric_data_queries:
        return [
            Query(
                id="watched",
                period=float(alarm.period),
                namespace=alarm.namespace,
                metric=alarm.metric_name,
                dimensions={one.name: one.value for one in alarm.dimensions},
                stat=alarm.statistic or alarm.extended_statistic,
            )
        ]
    return [_of_moto(one) for one in alarm.metric_data_queries]


def _of_moto(query: Any) -> Query:
    returned = str(query.return_data).lower() != "false"
    if query.expression is not None:
        period = None if query.period is None else float(query.period)
        return Query(id=query.id, period=period, label=query.label, returned=returned, expression=query.expression)
    stat = query.metric_stat
    return Query(
        id=query.id,
        period=float(stat.period),
        label=query.label,
        returned=returned,
        namespace=stat.metric.namespace,
        metric=stat.metric.metric_name,
        dimensions={one.name: one.value for one in stat.metric.dimensions},
        stat=stat.stat,
    )


def check(queries: Sequence[Query]) -> None:
    """Refuse queries that can never have a value.

    Raises:
        ValueError: a statistic or an expression is not known.
    """
    empty = Answers(queries, Series(), lambda _: (), lambda seconds: seconds)
    for query in queries:
        empty.of(query.id)
        if query.expression is None:
            statistic(query.stat, ())


class Answers:
    """The values of queries, each computed once."""

    def __init__(self, queries: Sequence[Query], series: Series, grid: Grid, lasts: Callable[[float], float]) -> None:
        """`lasts`: how long AWS's seconds are, in seconds."""
        self._queries = {query.id: query for query in queries}
        self._series = series
        self._grid = grid
        self._lasts = lasts
        self._found: dict[str, Value] = {}
        self._open: set[str] = set()

    def of(self, id: str) -> Value:
        """Return the value of a query.

        Raises:
            ValueError: it cannot be computed.
        """
        if id not in self._found:
            if id in self._open:
                raise NotUnderstood(f"the query {id} is a part of itself")
            self._open.add(id)
            query = self._queries[id]
            self._found[id] = self._measured(query) if query.expression is None else self._computed(query)
            self._open.discard(id)
        return self._found[id]

    def period(self, id: str) -> float:
        """Return the period of a query, in AWS's seconds: of an expression, the longest of what it uses."""
        query = self._queries[id]
        if query.expression is None or query.period is not None:
            return query.period or 60.0
        used = [name for name in names(parse(query.expression)) if name in self._queries and name != id]
        return max((self.period(name) for name in used), default=60.0)

    def _measured(self, query: Query) -> TimeSeries:
        period = query.period or 60.0
        data = self._series.of(query.namespace, query.metric, query.dimensions or {})
        values: dict[float, float] = {}
        for start in self._grid(period):
            value = statistic(query.stat, data.between(start, start + self._lasts(period)))
            if value is not None:
                values[start] = value
        return TimeSeries(values, period)

    def _computed(self, query: Query) -> Value:
        tree = parse(query.expression or "")
        known = {name: self.of(name) for name in names(tree) if name in self._queries}
        return compute(tree, known, self._grid(self.period(query.id)))
