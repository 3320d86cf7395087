"""What metric math computes, over the periods of a grid.

A time series has values for some periods of the grid. Operators work on each period that both sides have. A division
by zero has no value.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cloud.control_plane.alarms.expressions import Call, Name, NotUnderstood, Number, Tree


@dataclass(frozen=True)
class TimeSeries:
    """Values by the start of their period."""

    values: Mapping[float, float]
    period: float
    """AWS's seconds."""


Value = TimeSeries | float
_Operator = Callable[[float, float], float]


def compute(tree: Tree, known: Mapping[str, Value], grid: Sequence[float]) -> Value:
    """Return the value of a tree. `known`: by the ids of queries. `grid`: the starts of all periods, the oldest first.

    Raises:
        NotUnderstood: for a name or a function that is not known.
    """
    if isinstance(tree, Number):
        return tree.value
    if isinstance(tree, Name):
        if tree.name not in known:
            raise NotUnderstood(f"no query has the id {tree.name}")
        return known[tree.name]
    if tree.function == "FILL":
        return _fill(tree, known, grid)
    arguments = [compute(one, known, grid) for one in tree.arguments]
    if tree.function in _BINARY and len(arguments) == 2:
        return _each(_BINARY[tree.function], *arguments)
    if tree.function == "IF" and len(arguments) == 3:
        return _if(*arguments)
    if len(arguments) == 1 and tree.function in _SINGLE:
        return _SINGLE[tree.function](arguments[0])
    raise NotUnderstood(f"{tree.function} with {len(arguments)} arguments is not known to this cloud")


def _fill(tree: Call, known: Mapping[str, Value], grid: Sequence[float]) -> Value:
    if len(tree.arguments) != 2:
        raise NotUnderstood("FILL needs a time series and what to fill it with")
    series = compute(tree.arguments[0], known, grid)
    if not isinstance(series, TimeSeries):
        return series
    if tree.arguments[1] == Name("REPEAT"):
        return TimeSeries(_repeated(series.values, grid), series.period)
    by = compute(tree.arguments[1], known, grid)
    if isinstance(by, TimeSeries):
        return TimeSeries({**by.values, **series.values}, series.period)
    return TimeSeries({start: series.values.get(start, by) for start in grid}, series.period)


def _repeated(values: Mapping[float, float], grid: Sequence[float]) -> dict[float, float]:
    filled: dict[float, float] = {}
    last: float | None = None
    for start in grid:
        last = values.get(start, last)
        if last is not None:
            filled[start] = last
    return filled


def _each(apply: _Operator, left: Value, right: Value) -> Value:
    if not isinstance(left, TimeSeries) and not isinstance(right, TimeSeries):
        value = _or_none(apply, left, right)
        return TimeSeries({}, 0) if value is None else value
    period = left.period if isinstance(left, TimeSeries) else right.period if isinstance(right, TimeSeries) else 0
    found: dict[float, float] = {}
    for start in _starts(left, right):
        one, other = _at(left, start), _at(right, start)
        if one is not None and other is not None and (value := _or_none(apply, one, other)) is not None:
            found[start] = value
    return TimeSeries(found, period)


def _if(condition: Value, then: Value, otherwise: Value) -> Value:
    """Of each period that the condition has: the one value or the other, if there is one."""
    if not isinstance(condition, TimeSeries):
        return then if condition else otherwise
    chosen = {start: _at(then if holds else otherwise, start) for start, holds in condition.values.items()}
    return TimeSeries({start: value for start, value in chosen.items() if value is not None}, condition.period)


def _period(series: Value) -> Value:
    if not isinstance(series, TimeSeries):
        raise NotUnderstood("PERIOD needs a time series")
    return float(series.period)


def _running_sum(series: Value) -> Value:
    if not isinstance(series, TimeSeries):
        raise NotUnderstood("RUNNING_SUM needs a time series")
    total, found = 0.0, dict[float, float]()
    for start in sorted(series.values):
        total += series.values[start]
        found[start] = total
    return TimeSeries(found, series.period)


def _starts(*values: Value) -> Sequence[float]:
    series = [value.values for value in values if isinstance(value, TimeSeries)]
    return sorted(set[float]().union(*series))


def _at(value: Value, start: float) -> float | None:
    return value.values.get(start) if isinstance(value, TimeSeries) else value


def _or_none(apply: _Operator, left: float, right: float) -> float | None:
    try:
        value = float(apply(left, right))
    except (ZeroDivisionError, OverflowError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _single(apply: Callable[[float], float]) -> Callable[[Value], Value]:
    def applied(value: Value) -> Value:
        if isinstance(value, TimeSeries):
            return TimeSeries({start: float(apply(one)) for start, one in value.values.items()}, value.period)
        return float(apply(value))

    return applied


_BINARY: Mapping[str, _Operator] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "^": lambda left, right: math.pow(left, right),
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "&&": lambda left, right: bool(left) and bool(right),
    "||": lambda left, right: bool(left) or bool(right),
}
_SINGLE: Mapping[str, Callable[[Value], Value]] = {
    "PERIOD": _period,
    "RUNNING_SUM": _running_sum,
    "negative": _single(operator.neg),
    "ABS": _single(abs),
    "CEIL": _single(math.ceil),
    "FLOOR": _single(math.floor),
}
