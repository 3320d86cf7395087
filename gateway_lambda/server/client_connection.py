"""How long the connection of a client may be silent, and how many connections there may be."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterable
from typing import Any, ClassVar, cast

from gateway_lambda.allowed_origins import AllowedOrigins
from gateway_lambda.errors import RequestError, unavailable
from gateway_lambda.server.bounded_connection import BETWEEN, BODY, ENDING, HEAD, BoundedConnection
from gateway_lambda.settings import Settings

_LINGER_SECONDS = 5.0
"""How long a client has to read an answer to an incomplete request."""


class ClientConnection(BoundedConnection):
    """The protocol of the server. `serving` returns the class for given settings."""

    settings: ClassVar[Settings] = Settings()

    @classmethod
    def serving(cls, settings: Settings) -> type[ClientConnection]:
        """The class of connections that are served with these settings."""
        return type(cls.__name__, (cls,), {"settings": settings, "origins": AllowedOrigins(settings.allowed_origins)})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._timer: asyncio.TimerHandle | None = None
        self._unread = 0
        """Bytes that waited for the client when it was last looked at, where they are too many."""
        self._unread_since = 0.0
        """Since when they are as many."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        full = len(self.connections) >= self.settings.max_connections and not self._make_room()
        super().connection_made(transport)
        self._tick()
        if full:
            self._refuse(unavailable("the gateway has too many connections; try again shortly"))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def is_idle(self) -> bool:
        """Whether no answer and no body is under way."""
        return self._phase != BODY and not self._is_answering() and not self.transport.is_closing()

    def _tick(self) -> None:
        """Check whether the client is late. Each connection has one timer; requests and chunks set none."""
        if self.transport.is_closing():
            return
        now = self.loop.time()
        if self.flow.read_paused:
            self.since = now
        if self._has_stopped_reading(now):
            self.transport.abort()
            return
        limit = self._limit()
        if limit is not None and now - self.since >= limit:
            self._late()
            limit = None
        wait = min(self.settings.head_timeout, self.settings.body_timeout, _LINGER_SECONDS)
        if limit is not None:
            wait = min(wait, self.since + limit - now)
        self._timer = self.loop.call_later(wait, self._tick)

    def _has_stopped_reading(self, now: float) -> bool:
        """Whether the client has read nothing of a waiting answer for the time that it can be silent in a body."""
        size = self.transport.get_write_buffer_size() if self.flow.write_paused else 0
        if not size or size != self._unread:
            self._unread, self._unread_since = size, now
            return False
        return now - self._unread_since >= self.settings.body_timeout

    def _limit(self) -> float | None:
        """Return the longest time of this phase in seconds; None: the client does not have to send or read anything."""
        if self._phase == ENDING:
            return _LINGER_SECONDS
        if self._phase == HEAD or self._answered is None:
            return self.settings.head_timeout
        if self._phase == BODY:
            return None if self._is_answering() and self.cycle.response_started else self.settings.body_timeout
        return None if self._is_answering() else self.timeout_keep_alive

    def _late(self) -> None:
        if self._phase in (HEAD, BODY):
            what = "head" if self._phase == HEAD else "body"
            self._refuse(RequestError(f"the request's {what} did not come in time", "request_timeout", status=408))
        elif self._phase == BETWEEN:
            self.transport.close()
        else:
            self.transport.abort()

    def _make_room(self) -> bool:
        """Close the connections from which nothing has come for the longest time. Return False if all are in use."""
        connections = cast("Iterable[ClientConnection]", self.connections)
        idle = [each for each in connections if each.is_idle()]
        oldest = heapq.nsmallest(max(1, len(idle) // 16), idle, key=lambda each: each.since)
        for each in oldest:
            each.transport.abort()
        return bool(oldest)
