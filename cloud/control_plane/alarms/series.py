"""The data points of CloudWatch by metric, and their statistics.

moto keeps one list of all data. This finds a metric's own at once, and only those with exactly its dimensions, as AWS
does.
"""

from __future__ import annotations

import bisect
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Key = tuple[str, str, frozenset[tuple[str, str]]]
"""Namespace, name, dimensions."""
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?|100)")


@dataclass
class Data:
    """The data points of one metric, by time."""

    times: list[float] = field(default_factory=list)
    """Seconds since 1970."""
    points: list[Any] = field(default_factory=list)
    """As moto keeps them, in the same order."""

    def between(self, start: float, end: float) -> Sequence[Any]:
        """Return the points from `start` on and before `end`."""
        # A timestamp has milliseconds; a period of a fast clock may end between two.
        first, last = (bisect.bisect_left(self.times, time - 0.0005) for time in (start, end))
        return self.points[first:last]


class Series:
    """All metrics of an account and region."""

    def __init__(self) -> None:
        self._data: dict[Key, Data] = {}

    def add(self, points: Sequence[Any]) -> None:
        """Take in moto's data points."""
        for point in points:
            named = frozenset((one.name, one.value) for one in point.dimensions)
            data = self._data.setdefault((point.namespace, point.name, named), Data())
            time = _seconds(point.timestamp)
            at = bisect.bisect_right(data.times, time)
            data.times.insert(at, time)
            data.points.insert(at, point)

    def of(self, namespace: str, name: str, dimensions: Mapping[str, str]) -> Data:
        """Return the data of a metric, which may have none."""
        return self._data.get((namespace, name, frozenset(dimensions.items())), Data())


def statistic(stat: str, points: Sequence[Any]) -> float | None:
    """Return a statistic of data points; `None` without data points. `stat`: `Sum`, `Average`, `Minimum`, `Maximum`,
    `SampleCount` or a percentile as `p95`.

    Raises:
        ValueError: for another statistic.
    """
    if not points and (stat in _SIMPLE or _PERCENTILE.fullmatch(stat)):
        return None
    if stat in _SIMPLE:
        sets = [_set(point) for point in points]
        return _SIMPLE[stat](sets)
    found = _PERCENTILE.fullmatch(stat)
    if found is None:
        raise ValueError(f"the statistic {stat} is not known to this cloud")
    return percentile(float(found[1]), [value for point in points for value in _values(point)])


def percentile(percent: float, values: Sequence[float]) -> float | None:
    """Return the smallest value that is not below `percent` of 100 of all values; `None` without values."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def _seconds(moment: datetime) -> float:
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def _set(point: Any) -> _Set:
    """Sum, count, minimum, maximum."""
    if hasattr(point, "value"):
        return point.value, 1.0, point.value, point.value
    return point.sum, point.sample_count, point.min, point.max


def _values(point: Any) -> Sequence[float]:
    """Values for percentiles. AWS has them of a set of statistics only if all its values are the same."""
    if hasattr(point, "value"):
        return (point.value,)
    return (point.min,) * int(point.sample_count) if point.min == point.max else ()


_Set = tuple[float, float, float, float]
_SIMPLE: Mapping[str, Callable[[Sequence[_Set]], float]] = {
    "Sum": lambda sets: sum(one[0] for one in sets),
    "SampleCount": lambda sets: sum(one[1] for one in sets),
    "Average": lambda sets: sum(one[0] for one in sets) / sum(one[1] for one in sets),
    "Minimum": lambda sets: min(one[2] for one in sets),
    "Maximum": lambda sets: max(one[3] for one in sets),
}


def series_of(backend: Any) -> Series:
    """Return the series of moto's backend of CloudWatch."""
    found = getattr(backend, "series", None)
    if found is None:
        found = backend.series = Series()
        found.add(backend.metric_data)
    return found
