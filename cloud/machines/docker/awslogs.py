"""docker's log driver awslogs: lines to a log stream, in the background; lines that find no place are lost.

docker's mode is non-blocking here (`mode=non-blocking`), so a container never waits for CloudWatch.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

LONGEST_EVENT = 256 * 1024 - 26
"""Bytes of an event (CloudWatch Logs, PutLogEvents)."""
PAUSE = 0.5
"""Seconds between two calls; docker's is 5 (`awslogs-force-flush-interval-seconds`), which tests would wait for."""
BATCH = 1000
_LONGEST_END = 60
"""Seconds that the last lines may take: a call with its retries (`Machine`)."""
WAITING_LINES = 20_000
"""About `max-buffer-size=16m` of lines of usual length."""


class LogStream:
    """The log stream of a container."""

    def __init__(self, client: Any, options: Mapping[str, str], id: str) -> None:
        """Make the stream.

        Raises:
            botocore.exceptions.ClientError: the group does not exist, or the stream cannot be made.
        """
        self._client = client
        self._stream = {"logGroupName": options["awslogs-group"], "logStreamName": options.get("awslogs-stream", id)}
        self._held = b""
        self._events: queue.Queue[dict[str, Any] | None] = queue.Queue(WAITING_LINES)
        with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):
            client.create_log_stream(**self._stream)
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def hear(self, data: bytes) -> None:
        """Take what the container wrote; nothing: its end."""
        if not data:
            if self._held:
                self._put(self._held)
            self._held = b""
            with contextlib.suppress(queue.Full):
                self._events.put_nowait(None)
            return
        *lines, self._held = (self._held + data).split(b"\n")
        for line in lines:
            self._put(line)

    @property
    def sending(self) -> bool:
        """Whether something can still be sent."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Wait until everything has been sent, or CloudWatch does not answer."""
        self._thread.join(_LONGEST_END)

    def _put(self, line: bytes) -> None:
        text = line.removesuffix(b"\r").decode(errors="replace")[: LONGEST_EVENT // 4]
        if text:
            with contextlib.suppress(queue.Full):
                self._events.put_nowait({"timestamp": int(time.time() * 1000), "message": text})

    def _send(self) -> None:
        while (event := self._events.get()) is not None:
            events, last = [event], False
            end = time.monotonic() + PAUSE
            while len(events) < BATCH and not last:
                try:
                    following = self._events.get(timeout=max(0.0, end - time.monotonic()))
                except queue.Empty:
                    break
                if following is None:
                    last = True
                else:
                    events.append(following)
            with contextlib.suppress(BotoCoreError, ClientError):
                self._client.put_log_events(**self._stream, logEvents=events)
            if last:
                return
