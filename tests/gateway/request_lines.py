"""The lines of JSON that a gateway writes of its requests, and what a test expects of them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tests.gateway.serving import Bench

UNITS = {
    "Requests": "Count",
    "Errors": "Count",
    "Duration": "Milliseconds",
    "PromptTokens": "Count",
    "CompletionTokens": "Count",
    "TimeToFirstToken": "Milliseconds",
    "TokensPerSecond": "Count/Second",
}
MEASURED = ("Duration", "TimeToFirstToken", "TokensPerSecond", "first_byte_ms", "held_ms")
"""Members that no two requests have the same. `expected` has `True` for them."""


class Lines:
    """A gateway that writes lines to a file."""

    def __init__(self, bench: Bench, path: Path, **settings: Any) -> None:
        self.path = path
        self._since = time.time()
        self._read = 0
        bench.serve(request_lines=str(path), **settings)

    def new(self, count: int = 1) -> list[dict[str, Any]]:
        """The lines since the last call, of which there are `count`, without what no two requests have the same.

        They come a moment after the end of the request.
        """
        give_up = time.monotonic() + 20
        while len(found := self._lines()[self._read :]) < count and time.monotonic() < give_up:
            time.sleep(0.01)
        self._read += len(found)
        assert len(found) == count, found
        lines = [json.loads(line) for line in found]
        for line in lines:
            assert self._since * 1000 - 1 <= line["_aws"]["Timestamp"] <= time.time() * 1000 + 1
        return [plain(line) for line in lines]

    def _lines(self) -> list[bytes]:
        text = self.path.read_bytes()
        assert text == b"" or text.endswith(b"\n")
        return text.splitlines()


def plain(line: dict[str, Any]) -> dict[str, Any]:
    """A line without what no two requests have the same, after a look at it."""
    line = {**line, "_aws": {**line["_aws"]}}
    assert isinstance(line["_aws"].pop("Timestamp"), int)
    assert line.pop("request_id").startswith("req_")
    duration = line["Duration"]
    for name in MEASURED:
        if name in line:
            assert line[name] >= 0
            assert name == "TokensPerSecond" or line[name] <= duration
            line[name] = True
    return line


def expected(route: str, status: int = 200, **members: Any) -> dict[str, Any]:
    """The line of a request. A run is in `Run`, and its model is `m` unless it is said."""
    measured = {} if status == 0 else {"first_byte_ms": True}
    line = {"Table": "local", "Requests": 1, "Errors": 0, "Duration": True, "route": route, "stream": False, **measured}
    line |= {"status": status} if status else {}
    line |= {"model": "m"} if "Run" in members and "model" not in members else {}
    line |= {name: value for name, value in members.items() if value is not None}
    metrics = [{"Name": name, "Unit": unit} for name, unit in UNITS.items() if name in line]
    dimensions = [["Table"], ["Table", "Run"]] if "Run" in line else [["Table"]]
    line["_aws"] = {"CloudWatchMetrics": [{"Namespace": "servestack", "Dimensions": dimensions, "Metrics": metrics}]}
    return line


STREAMED = {"stream": True, "TimeToFirstToken": True}
FAST = {**STREAMED, "TokensPerSecond": True}
"""A stream of several tokens."""
