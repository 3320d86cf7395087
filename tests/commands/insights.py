"""CloudWatch Logs Insights for tests: moto checks the call, and `make cloud`'s evaluation answers it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cloud.control_plane.lacking.insights import evaluate


def results(query: str, lines: Sequence[tuple[int, str]]) -> list[list[dict[str, str]]]:
    """The rows that a query answers, as GetQueryResults has them."""
    return [[{"field": name, "value": value} for name, value in row.items()] for row in evaluate(query, lines)]


class Insights:
    """boto3's own client of `logs`, with queries that are evaluated over `lines`.

    Args:
        client: asks moto.
        lines: time in milliseconds since 1970, and text.
        running: how often a query answers that it is running.
        status: how it ends.
    """

    def __init__(
        self, client: Any, lines: Sequence[tuple[int, str]], running: int = 0, status: str = "Complete"
    ) -> None:
        self._client, self._lines, self._running, self._status = client, lines, running, status
        self._query: dict[str, Any] = {}
        self.stopped: list[str] = []

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._client, operation)

    def start_query(self, **asked: Any) -> Any:
        self._query = asked
        return self._client.start_query(**asked)

    def get_query_results(self, *, queryId: str) -> Any:
        begin, end = (self._query[name] * 1000 for name in ("startTime", "endTime"))
        read = [(at, text) for at, text in self._lines if begin <= at <= end + 999]
        statistics = {"recordsScanned": float(len(read)), "bytesScanned": float(sum(len(text) for _, text in read))}
        if self._running:
            self._running -= 1
            return {"status": "Running", "results": [], "statistics": statistics}
        found = results(self._query["queryString"], read) if self._status == "Complete" else []
        return {"status": self._status, "results": found, "statistics": statistics}

    def stop_query(self, *, queryId: str) -> Any:
        self.stopped.append(queryId)
        return {"success": True}
