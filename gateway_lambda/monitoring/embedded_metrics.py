"""CloudWatch's embedded metric format: lines of a log that CloudWatch also reads as metrics, without a call.

The format (AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html) is one JSON object
a line. `_aws` names the metrics and their dimensions, and every one that it names has to be a member beside it: a
dimension a string, a metric a number. So a line names only the metrics that it has. At most 100 of them, 30 dimensions
in a set; `Timestamp` is in milliseconds. On Lambda, a line on stdout is a log event as it is, also where Lambda writes
its own lines as JSON (lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

NAMESPACE = "servestack"
TABLE, RUN = "Table", "Run"
"""The dimensions. The registry's table stands for its gateway."""


class Described(msgspec.Struct, frozen=True):
    """The member `_aws`."""

    Timestamp: int
    CloudWatchMetrics: msgspec.Raw


def metrics_of(dimensions: Sequence[Sequence[str]], units: dict[str, str]) -> msgspec.Raw:
    """Return `CloudWatchMetrics`, prepared once. `units`: the unit of each metric, by its name."""
    metrics: list[dict[str, Any]] = [{"Name": name, "Unit": unit} for name, unit in units.items()]
    directive = {"Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": metrics}
    return msgspec.Raw(msgspec.json.encode([directive]))
