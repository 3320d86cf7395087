"""Counts requests to runs that can have no replica, because the load balancer does not count them then.

The line of a request (`monitoring/request_line.py`) comes at its end, which may be after the first replica is up. So
this one comes at its beginning, and has another metric: `Arrivals`, by table and run. The alarm on it starts the first
replica.
"""

from __future__ import annotations

import time

import msgspec

from gateway_lambda.monitoring.embedded_metrics import RUN, TABLE, Described, metrics_of
from gateway_lambda.monitoring.line_output import LineOutput
from gateway_lambda.registry.record import Service

METRIC = "Arrivals"
_METRICS = metrics_of([[TABLE, RUN]], {METRIC: "Count"})


class DemandMetric:
    """Notes requests. `table`: the name of the registry's table; without one, nothing reads metrics."""

    __slots__ = ("_output", "_table")

    def __init__(self, table: str, output: LineOutput | None) -> None:
        self._output = output if table else None
        self._table = table

    def note(self, service: Service) -> None:
        """Note a request for a service that can be without a replica."""
        if self._output is not None:
            described = Described(int(time.time() * 1000), _METRICS)
            line = {"_aws": described, TABLE: self._table, RUN: service.run, METRIC: 1}
            self._output.write(msgspec.json.encode(line) + b"\n")
