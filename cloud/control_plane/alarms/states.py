"""The state of an alarm, out of the values of its last periods.

Sources: alarm-evaluation.html and alarms-and-missing-data.html of the CloudWatch user guide. An alarm looks at more
periods than it needs. If enough of them have a value, missing ones do not count; else they count as the alarm says.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

MORE = 2
"""Periods that are looked at in addition to the evaluation periods (the examples of the user guide: 5 for 3)."""
COMPARISONS: Mapping[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What an alarm watches for."""

    comparison: str
    threshold: float
    periods: int
    """Evaluation periods."""
    to_alarm: int
    """Of them, how many have to be breaching."""
    missing: str
    """`missing`, `ignore`, `breaching` or `notBreaching`."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A state, and why."""

    state: str
    reason: str
    points: tuple[tuple[float, float], ...]
    """Start and value of the periods that decided, the newest first."""


def judge(rule: Rule, values: Sequence[tuple[float, float | None]], before: str) -> Judged:
    """Return the state. `values`: start and value of periods, the newest first. `before`: the state until now."""
    real = [(start, value) for start, value in values if value is not None]
    points = tuple(real[: rule.periods])
    breaching = [_breaches(rule, value) for _, value in points]
    lacking = rule.periods - len(points)
    if lacking and rule.missing in ("breaching", "notBreaching"):
        state = _state(sum(breaching) + (lacking if rule.missing == "breaching" else 0) >= rule.to_alarm)
    elif lacking:
        state = _with_missing(rule, values, breaching, before)
    else:
        state = _state(sum(breaching) >= rule.to_alarm)
    return Judged(state=state, reason=_reason(rule, state, points, lacking), points=points)


def _with_missing(
    rule: Rule, values: Sequence[tuple[float, float | None]], breaching: Sequence[bool], before: str
) -> str:
    """Too few values, and missing ones say nothing."""
    if not breaching:
        return before if rule.missing == "ignore" else "INSUFFICIENT_DATA"
    if not any(breaching):
        return "OK"
    oldest = max(age for age, (_, value) in enumerate(values, 1) if value is not None)
    if sum(breaching) >= rule.to_alarm or (rule.missing == "missing" and all(breaching) and oldest >= rule.to_alarm):
        return "ALARM"
    return before if rule.missing == "ignore" or before != "INSUFFICIENT_DATA" else "OK"


def _breaches(rule: Rule, value: float) -> bool:
    return COMPARISONS[rule.comparison][0](value, rule.threshold)


def _state(alarm: bool) -> str:
    return "ALARM" if alarm else "OK"


def _reason(rule: Rule, state: str, points: Sequence[tuple[float, float]], lacking: int) -> str:
    """Why, as AWS words it."""
    treated = {"breaching": "Breaching", "notBreaching": "NonBreaching"}.get(rule.missing)
    unknown = f"{lacking} missing datapoint{'s were' if lacking > 1 else ' was'} treated as [{treated}]"
    if not points:
        none = f"no datapoints were received for {rule.periods} period{'s' if rule.periods > 1 else ''}"
        if treated is None:
            return f"Insufficient Data: {none}."
        return f"Threshold Crossed: {none} and {unknown}."
    shown = [f"{value} ({datetime.fromtimestamp(start, UTC):%d/%m/%y %H:%M:%S})" for start, value in points]
    wanted = state == "ALARM"
    met = sum(1 for _, value in points if _breaches(rule, value) is wanted)
    many = f"{met} datapoint" if rule.periods == 1 else f"{met} out of the last {rule.periods} datapoints"
    verb = "was" if met == 1 else "were"
    crossed = f"{verb}{'' if wanted else ' not'} {COMPARISONS[rule.comparison][1]} the threshold ({rule.threshold})"
    needed = f"{rule.to_alarm} datapoint{'s' if rule.to_alarm > 1 else ''}"
    change = f"(minimum {needed} for {'OK -> ALARM' if wanted else 'ALARM -> OK'} transition)"
    also = f" and {unknown}" if lacking and treated is not None else ""
    return f"Threshold Crossed: {many} [{', '.join(shown)}] {crossed}{also} {change}."
