"""A connection that tells when its client leaves. uvicorn's own tells only a task that waits for a message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle


class WatchedConnection(HttpToolsProtocol):
    """uvicorn's connection, which tells the request that is being answered when the client leaves."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._answered: RequestResponseCycle | None = None
        """The request that is being answered; `cycle` is the last that came."""
        self._leaving: Callable[[], None] | None = None
        """Called if the client leaves before the answer is complete."""

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answered is not None and not self._answered.response_complete:
            self._answered.disconnected = True
            self._answered.message_event.set()
            if self._leaving is not None:
                self._leaving()
        super().connection_lost(exc)
        self._answered = self._leaving = None
        self.cycle = None  # type: ignore[assignment] # it knows this connection, which is freed at once without it

    def on_leaving(self, call: Callable[[], None]) -> None:
        """Have `call` called if the client leaves before the answer is complete. The request's body has been read."""
        self._leaving = call
        self.flow.resume_reading()
        if self._answered is None:
            call()
