"""The metrics that AWS itself writes about APIs and functions."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cloud.api.reading import Clients
from cloud.api.regular import RegularWriter

PERIOD = 60.0
"""Seconds between two points."""
_MOST_VALUES = 150
"""Different values of one point (PutMetricData)."""
_MOST_METRICS = 500
"""Metrics of one call. PutMetricData takes 1,000."""
Dimensions = tuple[tuple[str, str], ...]


class Metrics(RegularWriter):
    """Collects values, and writes them once a period."""

    def __init__(self, url: str, period: float = PERIOD) -> None:
        super().__init__(period)
        self._clients = Clients(url)
        self._values: dict[tuple[str, str, str, str, Dimensions], Counter[float]] = defaultdict(Counter)

    def add(
        self, region: str, namespace: str, name: str, value: float, *, unit: str, dimensions: Mapping[str, str]
    ) -> None:
        """Add a value. Milliseconds are kept without their fraction."""
        kept = float(round(value)) if unit == "Milliseconds" else value
        self._values[region, namespace, name, unit, tuple(dimensions.items())][kept] += 1

    async def write_now(self) -> None:
        """Write what there is."""
        values, self._values = self._values, defaultdict(Counter)
        if values:
            await asyncio.to_thread(self._put, values, time.time())

    def _put(self, values: Mapping[tuple[str, str, str, str, Dimensions], Counter[float]], at: float) -> None:
        calls: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
        for (region, namespace, name, unit, dimensions), counted in values.items():
            pairs = sorted(counted.items())
            for first in range(0, len(pairs), _MOST_VALUES):
                part = pairs[first : first + _MOST_VALUES]
                point = {
                    "MetricName": name,
                    "Timestamp": at,
                    "Unit": unit,
                    "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions],
                    "Values": [value for value, _ in part],
                    "Counts": [float(count) for _, count in part],
                }
                calls[region, namespace].append(point)
        for (region, namespace), points in calls.items():
            client = self._clients.client("cloudwatch", region)
            for first in range(0, len(points), _MOST_METRICS):
                with contextlib.suppress(BotoCoreError, ClientError):
                    client.put_metric_data(Namespace=namespace, MetricData=points[first : first + _MOST_METRICS])
