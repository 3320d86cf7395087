"""Metric math of CloudWatch over one period, as far as the alarms use it
(AmazonCloudWatch/latest/monitoring/using-metric-math.html)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra.planning.alarms import Alarm

Values = Mapping[str, float | None]
"""The value of each metric in a period, by id; `None`: no data."""


def breaches(alarm: Alarm, values: Values) -> bool:
    """Whether one period is on the wrong side of an alarm's threshold."""
    value = _value(alarm.expression or alarm.metrics[0].id, {metric.id: values[metric.id] for metric in alarm.metrics})
    if value is None:
        return False
    match alarm.comparison:
        case "GreaterThanThreshold":
            return value > alarm.threshold
        case "GreaterThanOrEqualToThreshold":
            return value >= alarm.threshold


def _value(expression: str, values: Values) -> float | None:
    """The value of an expression; `None` where a metric without data decides. Division by zero has no value either."""
    if expression.startswith("IF("):
        condition, then, otherwise = _arguments(expression)
        decided = _value(condition, values)
        return None if decided is None else _value(then if decided else otherwise, values)
    try:
        known: dict[str, Any] = {"__builtins__": {}, "FILL": _fill}
        return float(eval(expression.replace(" AND ", " and "), known, dict(values)))
    except (TypeError, ZeroDivisionError):
        return None


def _arguments(call: str) -> list[str]:
    """The arguments of a function that is the whole expression."""
    found, depth = [""], 0
    for letter in call[call.index("(") + 1 : -1]:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            found.append("")
        else:
            found[-1] += letter
    return [one.strip() for one in found]


def _fill(value: float | None, other: float) -> float:
    return other if value is None else value
