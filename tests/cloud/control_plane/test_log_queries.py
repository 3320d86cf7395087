"""`make usage` asks its query here as it asks AWS."""

from __future__ import annotations

import json
import time

import pytest

from commands.usage.insights import Answer, ask
from commands.usage.query import query_text
from infra.readiness.clients import WallClock
from tests.cloud.control_plane.conftest import Running


def test_the_lines_of_requests_are_counted_by_run(plane: Running) -> None:
    logs, now = plane.client("logs"), int(time.time())
    logs.create_log_group(logGroupName="requests")
    logs.create_log_stream(logGroupName="requests", logStreamName="one")
    lines = [{"request_id": "a", "Requests": 1, "Errors": 0, "Run": run, "PromptTokens": 7} for run in ("x", "x", "y")]
    texts = ["started", *map(json.dumps, lines)]
    events = [{"timestamp": now * 1000, "message": text} for text in texts]
    logs.put_log_events(logGroupName="requests", logStreamName="one", logEvents=events)
    answer = ask(logs, "requests", query_text("run", []), now - 60, now + 60, WallClock(), lambda _: None)
    assert [{cell["field"]: cell["value"] for cell in row} for row in answer.rows] == [
        {"Run": "x", "requests": "2", "errors": "0", "prompt_tokens": "14"},
        {"Run": "y", "requests": "1", "errors": "0", "prompt_tokens": "7"},
    ]
    assert answer == Answer(rows=answer.rows, bytes_scanned=float(sum(map(len, texts))))
    logs.delete_log_group(logGroupName="requests")


def test_a_query_that_is_not_known_here_is_refused(plane: Running) -> None:
    logs = plane.client("logs")
    logs.create_log_group(logGroupName="requests")
    with pytest.raises(logs.exceptions.ClientError, match=r"UnknownToThisCloud.*logs:StartQuery"):
        logs.start_query(logGroupName="requests", startTime=1, endTime=2, queryString="parse @message '*' as a")
    logs.delete_log_group(logGroupName="requests")
