"""CloudWatch Logs: queries, and what HashiCorp's provider reads of log groups."""

# pyright: basic
# What moto says of its types is partial.

from __future__ import annotations

import functools
from typing import Any

from moto.core.utils import utcnow
from moto.logs.models import LogGroup, LogQuery

from cloud.control_plane.lacking.insights import evaluate
from cloud.control_plane.lacking.patching import instead


@functools.cache
def install() -> None:
    """Patch moto's CloudWatch Logs."""

    def query(self: Any, query_id: str, start_time: int, end_time: int, query: str, log_groups: list[LogGroup]) -> None:
        """moto evaluates few commands, and no members of JSON lines."""
        self.query_id, self.start_time, self.end_time, self.query = query_id, start_time, end_time, query
        self.log_group_names, self.create_time, self.status = [one.name for one in log_groups], utcnow(), "Complete"
        lines = [
            (event.timestamp, event.message)
            for group in log_groups
            for stream in group.streams.values()
            for event in stream.events
            if start_time * 1000 <= event.timestamp <= end_time * 1000 + 999
        ]
        self.scanned = lines
        self.results = evaluate(query, lines)

    LogQuery.__init__ = query

    @instead(LogQuery, "to_result_json")
    def results(shown: Any, self: Any) -> dict[str, Any]:
        """moto leaves the statistics out."""
        read = float(sum(len(text) for _, text in self.scanned))
        statistics = {"recordsScanned": float(len(self.scanned)), "bytesScanned": read, "recordsMatched": 0.0}
        return {**shown(self), "statistics": statistics}

    @instead(LogGroup, "to_describe_dict")
    def described(shown: Any, self: Any) -> dict[str, Any]:
        """moto leaves the class of a log group out."""
        return {"logGroupClass": "STANDARD", **shown(self)}
