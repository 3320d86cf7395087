"""Writes lines to log groups of the control plane, a few times a second."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict

from botocore.exceptions import BotoCoreError, ClientError

from cloud.api.reading import Clients
from cloud.api.regular import RegularWriter

_EVERY = 0.5
"""Seconds between two calls for a log stream."""
_MOST = 10_000
"""Events of one call (PutLogEvents)."""
_LONGEST = 250_000
"""Bytes of an event: PutLogEvents takes 262,144 with 26 for itself."""
Stream = tuple[str, str, str]
"""Region, log group and log stream."""


class LogLines(RegularWriter):
    """Keeps lines until they are written. A group that does not exist gets none, as on AWS."""

    def __init__(self, url: str) -> None:
        super().__init__(_EVERY)
        self._clients = Clients(url)
        self._lines: dict[Stream, list[dict[str, object]]] = defaultdict(list)
        self._made: set[Stream] = set()

    def add(self, stream: Stream, line: str) -> None:
        """Add a line to a log stream, with the present time. An empty line is left out."""
        if line.strip():
            event: dict[str, object] = {"timestamp": int(time.time() * 1000), "message": line[:_LONGEST]}
            self._lines[stream].append(event)

    async def write_now(self) -> None:
        """Write what there is."""
        lines, self._lines = self._lines, defaultdict(list)
        if lines:
            await asyncio.to_thread(self._put, lines)

    def _put(self, lines: dict[Stream, list[dict[str, object]]]) -> None:
        for (region, group, stream), events in lines.items():
            client = self._clients.client("logs", region)
            names = {"logGroupName": group, "logStreamName": stream}
            with contextlib.suppress(BotoCoreError, ClientError):
                if (region, group, stream) not in self._made:
                    with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):
                        client.create_log_stream(**names)
                    self._made.add((region, group, stream))
                for first in range(0, len(events), _MOST):
                    client.put_log_events(**names, logEvents=events[first : first + _MOST])
