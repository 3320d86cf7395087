"""Metrics in lines of a log: CloudWatch's embedded metric format.

Source: CloudWatch_Embedded_Metric_Format_Specification.html of the CloudWatch user guide. A line that breaks a rule has
no metrics at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_DIMENSIONS, MOST_METRICS, MOST_VALUES = 30, 100, 100
"""In a set, in a directive, in an array."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """The values of one metric, under one set of dimensions."""

    namespace: str
    name: str
    unit: str | None
    dimensions: tuple[tuple[str, str], ...]
    values: tuple[float, ...]
    timestamp: float
    """Seconds since 1970."""


class Malformed(ValueError):
    """A line says that it has metrics, and breaks a rule of the format."""


def metrics_of(message: str) -> list[Written]:
    """Return the metrics of a log event; none if it has no `_aws` with `Timestamp` and `CloudWatchMetrics`.

    Raises:
        Malformed: the line says that it has metrics, and breaks a rule of the format.
    """
    if '"_aws"' not in message:
        return []
    try:
        line: dict[str, Any] = dict(json.loads(message))
        described: dict[str, Any] = dict(line["_aws"])
        timestamp = int(described["Timestamp"]) / 1000
        directives: list[dict[str, Any]] = list(described["CloudWatchMetrics"])
    except (KeyError, TypeError, ValueError):
        return []
    return [written for directive in directives for written in _written(line, directive, timestamp)]


def _written(line: Mapping[str, Any], directive: Mapping[str, Any], timestamp: float) -> list[Written]:
    metrics: Sequence[Mapping[str, Any]] = directive["Metrics"]
    if len(metrics) > MOST_METRICS:
        raise Malformed(f"{len(metrics)} metrics; a directive has at most {MOST_METRICS}")
    return [
        Written(
            namespace=directive["Namespace"],
            name=metric["Name"],
            unit=metric.get("Unit"),
            dimensions=_dimensions(line, names),
            values=_values(line, metric["Name"]),
            timestamp=timestamp,
        )
        for names in directive["Dimensions"]
        for metric in metrics
    ]


def _dimensions(line: Mapping[str, Any], names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    if len(names) > MOST_DIMENSIONS:
        raise Malformed(f"{len(names)} dimensions; a set has at most {MOST_DIMENSIONS}")
    for name in names:
        if not isinstance(line.get(name), str):
            raise Malformed(f"the dimension {name} has to be a string of the line")
    return tuple((name, line[name]) for name in names)


def _values(line: Mapping[str, Any], name: str) -> tuple[float, ...]:
    value: Any = line.get(name)
    values: list[Any] = list(value) if isinstance(value, list | tuple) else [value]  # pyright: ignore[reportUnknownArgumentType]
    if len(values) > MOST_VALUES or not all(type(one) in (int, float) for one in values):
        raise Malformed(f"the metric {name} has to be a number of the line, or at most {MOST_VALUES} numbers")
    return tuple(float(one) for one in values)
