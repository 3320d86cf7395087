"""The client's side of a stream of events: how it begins, is kept alive and ends (docs/translation.md#streams)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from gateway_lambda.errors import Header
from gateway_lambda.server.exchange import Exchange
from gateway_lambda.settings import Settings

_HEADERS: tuple[Header, ...] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)
_COMMENT = b": keep-alive\n\n"


class Silent(Protocol):
    """A stream of the upstream that the gateway ends when it is silent for too long."""

    waiting_since: float | None

    def give_up(self) -> None:
        """End it."""
        ...


class EventStream:
    """Sends events to the client.

    It begins (status 200, the headers and events of `opening()`) with the first write, or by itself after
    `commit_after`. From then on, an error is an event. One timer watches for silence, so an event costs nothing more.
    """

    def __init__(
        self, exchange: Exchange, settings: Settings, opening: Callable[[], tuple[list[Header], bytes]]
    ) -> None:
        self._exchange = exchange
        self._opening = opening
        self._keep_alive = settings.keep_alive
        self._idle_timeout = settings.idle_timeout
        self._lock = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        self._side: asyncio.Task[None] | None = None
        self._sent = 0.0
        self.watched: list[Silent] = []
        """The upstream streams that it reads from."""
        self._begins_at = self._loop.time() + settings.commit_after
        first = min(settings.commit_after, settings.keep_alive, settings.idle_timeout)
        self._timer = self._loop.call_later(first, self._tick)

    async def write(self, data: bytes) -> None:
        """Send whole events. Waits while the client does not read."""
        async with self._lock:
            self._sent = self._loop.time()
            if not self._exchange.started:
                data = await self._begin() + data
            await self._exchange.write(data)

    async def finish(self, data: bytes) -> None:
        """Send the last events, and end the response."""
        self._timer.cancel()
        async with self._lock:
            if not self._exchange.started:
                data = await self._begin() + data
            await self._exchange.finish(data)

    def close(self) -> None:
        """Stop the timer."""
        self._timer.cancel()
        if self._side is not None:
            self._side.cancel()

    async def _begin(self) -> bytes:
        self._exchange.stream = True
        headers, data = self._opening()
        await self._exchange.start(200, [*_HEADERS, *headers])
        return data

    def _tick(self) -> None:
        """Send a comment or end the stream, if it is time. Not while a write waits for the client."""
        now = self._loop.time()
        due = now + self._keep_alive
        if not self._lock.locked():
            if not self._exchange.started:
                if now >= self._begins_at:
                    self._side = self._loop.create_task(self.write(b""))
                else:
                    due = self._begins_at
            elif now - self._sent >= self._keep_alive:
                self._side = self._loop.create_task(self.write(_COMMENT))
            else:
                due = self._sent + self._keep_alive
            for stream in self.watched:
                since = now if stream.waiting_since is None else stream.waiting_since
                if now - since >= self._idle_timeout:
                    stream.give_up()
                else:
                    due = min(due, since + self._idle_timeout)
        self._timer = self._loop.call_at(due, self._tick)
