"""Request lines as the gateway writes them (docs/gateway.md), made up for tests."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

METRICS = ("Requests", "Errors", "PromptTokens", "CompletionTokens", "TimeToFirstToken", "TokensPerSecond", "Duration")


def request_line(at: datetime, *, table: str = "gateway-table-1a2b3c4", **members: Any) -> tuple[int, str]:
    """Return when a line was written, in milliseconds since 1970, and the line."""
    time = round(at.timestamp() * 1000)
    run = {"Run": members["Run"]} if "Run" in members else {}
    metric = {
        "Namespace": "servestack",
        "Dimensions": [["Table"], ["Table", "Run"]] if run else [["Table"]],
        "Metrics": [{"Name": name} for name in METRICS if name in members],
    }
    line = {
        "_aws": {"Timestamp": time, "CloudWatchMetrics": [metric]},
        "Table": table,
        "request_id": f"{time:x}",
        "Requests": 1,
        "Errors": 0,
        **members,
    }
    return time, json.dumps(line)
