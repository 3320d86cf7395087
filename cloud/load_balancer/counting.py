"""What a load balancer counts in a minute, by the names that AWS gives it in CloudWatch.

Source: the user guide's CloudWatch metrics for your Application Load Balancer. A count that is zero is not sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

NAMESPACE = "AWS/ApplicationELB"
MINUTE = 60
"""AWS's seconds in which these metrics are counted."""
MOST_VALUES, MOST_DATA = 150, 1000
"""In one datum and in one call (CloudWatch API: PutMetricData)."""

Dimensions = tuple[tuple[str, str], ...]


def of_balancer(balancer: str) -> Dimensions:
    """Return the dimensions of a load balancer."""
    return (("LoadBalancer", balancer),)


def of_targets(balancer: str, group: str) -> Dimensions:
    """Return the dimensions of a target group behind a load balancer."""
    return (("LoadBalancer", balancer), ("TargetGroup", group))


def of_group(group: str) -> Dimensions:
    """Return the dimensions of a target group alone."""
    return (("TargetGroup", group),)


class Minute:
    """Everything that was counted since the last minute ended."""

    def __init__(self) -> None:
        self._sums: Counter[tuple[str, Dimensions]] = Counter()
        self._values: dict[tuple[str, Dimensions], Counter[float]] = {}
        self.requests: Counter[str] = Counter()
        """Of each target group, by its ARN."""

    def add(self, name: str, *all_dimensions: Dimensions, amount: float = 1) -> None:
        """Add to a sum, under each of the dimensions."""
        for dimensions in all_dimensions:
            self._sums[(name, dimensions)] += amount  # pyright: ignore[reportArgumentType]

    def value(self, name: str, value: float, *all_dimensions: Dimensions) -> None:
        """Keep a value of its own, for averages and percentiles."""
        for dimensions in all_dimensions:
            self._values.setdefault((name, dimensions), Counter())[round(value, 6)] += 1

    def data(self, start: float) -> list[dict[str, Any]]:
        """Return `MetricData` of PutMetricData. `start`: of the minute, in seconds since 1970."""
        stamp = datetime.fromtimestamp(start, UTC)
        sums: list[dict[str, Any]] = [
            {"MetricName": name, "Dimensions": _named(dimensions), "Timestamp": stamp, "Value": amount, "Unit": "Count"}
            for (name, dimensions), amount in self._sums.items()
            if amount
        ]
        for (name, dimensions), counted in self._values.items():
            unit = "Seconds" if name.endswith("Time") else "Count"
            for some in pieces(counted.items(), MOST_VALUES):
                values, counts = [value for value, _ in some], [float(count) for _, count in some]
                datum = {"MetricName": name, "Dimensions": _named(dimensions), "Timestamp": stamp, "Unit": unit}
                sums.append({**datum, "Values": values, "Counts": counts})
        return sums


def pieces(all: Iterable[Any], most: int) -> list[list[Any]]:
    """Return lists of at most `most`."""
    items = list(all)
    return [items[first : first + most] for first in range(0, len(items), most)]


def _named(dimensions: Dimensions) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in dimensions]
