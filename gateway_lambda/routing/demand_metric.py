"""Counts requests to runs that can have no replica, because the load balancer does not count them then.

On Lambda what a process writes is a log event, and one in CloudWatch's embedded metric format becomes a metric
(AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html): `Requests` of the namespace
`servestack`, by table and run. The alarm on it starts the first replica. Nothing is sent, because the function cannot
reach CloudWatch.
"""

from __future__ import annotations

import sys
import time

import msgspec

from gateway_lambda.registry.record import Service

NAMESPACE, METRIC = "servestack", "Requests"


class DemandMetric:
    """Notes requests. `registry`: the value of `GATEWAY_REGISTRY`; with a file, nothing reads metrics."""

    __slots__ = ("_table",)

    def __init__(self, registry: str) -> None:
        kind, _, table = registry.partition(":")
        self._table = table if kind == "dynamodb" else None

    def note(self, service: Service) -> None:
        """Write a line if the service can be without a replica."""
        if service.min_replicas == 0 and self._table is not None:
            sys.stdout.write(f"{event(self._table, service.run, time.time())}\n")
            sys.stdout.flush()


def event(table: str, run: str, now: float) -> str:
    """Return one request for a run as a log event that is a metric. `now`: seconds since 1970."""
    metric = {"Namespace": NAMESPACE, "Dimensions": [["Table", "Run"]], "Metrics": [{"Name": METRIC, "Unit": "Count"}]}
    described = {"Timestamp": int(now * 1000), "CloudWatchMetrics": [metric]}
    return msgspec.json.encode({"_aws": described, "Table": table, "Run": run, METRIC: 1}).decode()
