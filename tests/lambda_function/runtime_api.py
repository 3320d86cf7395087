"""The Runtime API of `make cloud` for tests: it serves one function from a thread, refuses events that Lambda would
refuse for their size, and keeps each piece of an answer with the time at which it came."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cloud.api import runtime_api as served
from cloud.api.adapter import Adapter
from cloud.api.answer import DELIMITER
from cloud.api.runtime_api import LARGEST_EVENT, EventTooLarge

__all__ = ["DEADLINE", "LARGEST_EVENT", "EventTooLarge", "Invocation", "Piece", "RuntimeApi", "runtime_api"]

DEADLINE = 900.0
"""Seconds that a function may take."""
_FUNCTION = {"function_name": "gateway", "version": "$LATEST", "handler": "run.sh"}
_ARN = "arn:aws:lambda:eu-west-1:000000000000:function:gateway"


@dataclass(frozen=True)
class Piece:
    """Payload that came in one go."""

    at: float
    """When, by `time.monotonic`."""
    data: bytes


class Invocation:
    """One event and what the function answers to it."""

    def __init__(self, given: served.Invocation) -> None:
        self.deadline = given.deadline
        self.head = b""
        """The metadata as text."""
        self.pieces: list[Piece] = []
        """What has come of the payload so far."""
        self.ended_at = 0.0
        """When all of it had come, in seconds since 1970."""
        self._given = given
        self._metadata: Mapping[str, Any] | None = None
        self._ended = False
        self._news = threading.Condition()

    @property
    def broken(self) -> bool:
        """The adapter's request broke off: no end was sent."""
        return self._given.broken

    def metadata(self, within: float = 20) -> Mapping[str, Any]:
        """Status and headers, as soon as they and the delimiter are there."""
        self._wait(lambda: self._metadata is not None, within, "metadata")
        if self._metadata is None:
            raise AssertionError(f"the answer ended without metadata: {self._given.kind} {self.head[:500]!r}")
        return self._metadata

    def piece(self, number: int, within: float = 20) -> Piece:
        """A piece of the payload as soon as it is there."""
        self._wait(lambda: len(self.pieces) > number, within, f"piece {number}")
        return self.pieces[number]

    def payload(self, within: float = 60) -> bytes:
        """All of it, once the answer has ended."""
        self._wait(lambda: False, within, "the answer's end")
        return b"".join(piece.data for piece in self.pieces)

    async def read(self) -> None:
        """Take the answer as it comes."""
        async for data in self._given.pieces():
            self._add(data)
        with self._news:
            self.ended_at = time.time()
            self._ended = True
            self._news.notify_all()

    def _add(self, data: bytes) -> None:
        with self._news:
            if self._metadata is None:
                self.head += data
                text, delimiter, data = self.head.partition(DELIMITER)
                if not delimiter:
                    return
                self.head = text
                self._metadata = json.loads(text)
            if data:
                self.pieces.append(Piece(time.monotonic(), data))
            self._news.notify_all()

    def _wait(self, true: Any, within: float, what: str) -> None:
        with self._news:
            if not self._news.wait_for(lambda: true() or self._ended, within):
                raise AssertionError(
                    f"{what} did not come within {within} s; there is {self.head[:200]!r} {self.pieces}"
                )


class RuntimeApi:
    """Serves one function on loopback."""

    def __init__(self) -> None:
        self.waiting = threading.Event()
        """The function asked for its first event: its initialization is over."""
        self.waiting_since = 0.0
        """When it did, by `time.monotonic`."""
        self.deadline = DEADLINE
        """Seconds that the next invocations may take."""
        self._loop = asyncio.new_event_loop()
        self._api = served.RuntimeApi(_FUNCTION, idle=self._asked)
        self._reading: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def address(self) -> str:
        return self._api.address

    @property
    def user_agent(self) -> str:
        return self._api.user_agent

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._api.start(), self._loop).result(60)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def play_adapter(self, port: int) -> None:
        """Stand in for the web adapter, for a web server on this port."""
        asyncio.run_coroutine_threadsafe(Adapter(self._api, port).run(), self._loop)

    def invoke(self, event: Mapping[str, Any]) -> Invocation:
        """Hand an event to the function. Raises `EventTooLarge`."""
        data = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        served.check_size(data)
        return asyncio.run_coroutine_threadsafe(self._invoke(data), self._loop).result(60)

    def _asked(self) -> None:
        if not self.waiting.is_set():
            self.waiting_since = time.monotonic()
            self.waiting.set()

    async def _invoke(self, data: bytes) -> Invocation:
        given = served.Invocation(data, seconds=self.deadline, function=_ARN)
        invocation = Invocation(given)
        task = asyncio.create_task(invocation.read())
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)
        self._api.hand(given)
        return invocation

    async def _close(self) -> None:
        await self._api.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


@contextlib.contextmanager
def runtime_api() -> Iterator[RuntimeApi]:
    """The Runtime API, for the time of the block."""
    api = RuntimeApi()
    api.start()
    try:
        yield api
    finally:
        api.close()
