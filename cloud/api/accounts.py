"""What the API writes about a request: a line of the stage's access log, and metrics."""

from __future__ import annotations

import time
from dataclasses import dataclass

from cloud.api.context import filled
from cloud.api.deployed import Stage
from cloud.api.log_lines import LogLines
from cloud.api.metrics import Metrics
from cloud.api.request import Request, flat


@dataclass
class Sent:
    """How a response ended."""

    status: int = 0
    """0: nothing was sent."""
    bytes: int = 0
    """Of the payload."""
    first_byte: float | None = None
    """Seconds from the function's event to the first byte of its payload."""
    integration: float | None = None
    """Seconds from the function's event to its status and headers."""


class Accounts:
    """Writes the line and the metrics when a response has ended."""

    def __init__(self, lines: LogLines, metrics: Metrics) -> None:
        self._lines = lines
        self._metrics = metrics

    def write(self, request: Request, stage: Stage, sent: Sent) -> None:
        milliseconds = (time.monotonic() - request.began) * 1000
        self._count(stage, sent, milliseconds)
        if stage.log_group is None:
            return
        nowhere = {"api": stage.api, "stage": stage.name, "resource": "-", "path": "-"}
        context: dict[str, object] = {
            **flat(request.event_context(nowhere)),
            **request.context,
            "status": sent.status,
            "responseLength": sent.bytes,
            "responseLatency": int(milliseconds),
        }
        if sent.integration is not None:
            context["integrationLatency"] = context["integration.latency"] = int(sent.integration * 1000)
        if sent.first_byte is not None:
            context["integration.timeToFirstContent"] = int(sent.first_byte * 1000)
        stream = f"{stage.api}_{stage.name}"
        self._lines.add((stage.region, stage.log_group, stream), filled(stage.log_format, context))

    def _count(self, stage: Stage, sent: Sent, milliseconds: float) -> None:
        values = [
            ("Count", 1.0, "Count"),
            ("4XXError", float(400 <= sent.status < 500), "Count"),
            ("5XXError", float(sent.status >= 500), "Count"),
            ("Latency", milliseconds, "Milliseconds"),
        ]
        if sent.integration is not None:
            values.append(("IntegrationLatency", sent.integration * 1000, "Milliseconds"))
        names = {"ApiName": stage.api_name, "Stage": stage.name}
        for name, value, unit in values:
            self._metrics.add(stage.region, "AWS/ApiGateway", name, value, unit=unit, dimensions=names)
