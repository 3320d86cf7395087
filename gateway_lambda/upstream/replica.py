"""One address of a run, and the connections to it."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from functools import partial
from urllib.parse import urlsplit

from gateway_lambda.upstream.connection import Connection, Owner
from gateway_lambda.upstream.health import Health, News

_LOG = logging.getLogger(__name__)

_IDLE_FOR = 60.0
"""Seconds. A connection that was idle for longer is not used again: whoever stands between may have forgotten it."""


class BadAddress(ValueError):
    """A base URL that cannot be used."""


class Replica(Owner):
    """One base URL. Idle connections are used again, the one used last first, so that the others grow old and go."""

    __slots__ = ("_idle", "_open", "_parts", "base", "health", "in_flight", "lost", "question")

    def __init__(self, base: str, host: str | None, news: News | None = None) -> None:
        """`host`: the Host header to send instead of the URL's own. `news`: as of `Health`."""
        self.base = base.rstrip("/")
        self.in_flight = 0
        """Requests that wait for their answer's end."""
        self.health = Health(news)
        self.lost = False
        """It failed, or ended its last connection: when it answers again it may be another."""
        self.question: tuple[bytes, bytes] | None = None
        """Path and headers of a GET that shows whether it is there; None: that it takes connections has to do."""
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._parts = _Parts(self.base, host)

    def head(self, method: bytes, target: bytes) -> bytes:
        """A request's first line and its Host. Raises `BadAddress`."""
        parts = self._parts
        if parts.problem is not None:
            raise BadAddress(parts.problem)
        return b"%s %s%s HTTP/1.1\r\nhost: %s\r\n" % (method, parts.path, target, parts.host)

    async def connection(self, patience: float, *, fresh: bool = False) -> Connection:
        """A connection that was idle, unless it has to be `fresh`; else a new one within `patience` seconds.

        Raises `OSError`, `TimeoutError`.
        """
        while self._idle and not fresh:
            connection = self._idle.pop()
            if connection.usable and 0 <= time.time() - connection.free_since <= _IDLE_FOR:
                return connection
            connection.end()
        async with asyncio.timeout(patience):
            return await self._connect(patience)

    def fail(self) -> None:
        """It failed at a request, or does not answer."""
        self.lost = True
        pause = self.health.failed(asyncio.get_running_loop().time())
        if pause:
            _LOG.warning("%s failed several times in a row: it gets no requests for %.0f s", self.base, pause)

    def close(self) -> None:
        """End all connections."""
        if self.health.probe is not None:
            self.health.probe.cancel()
        for connection in tuple(self._open):
            connection.end()

    def made(self, connection: Connection) -> None:
        self._open.add(connection)

    def free(self, connection: Connection) -> None:
        now = connection.free_since = time.time()
        self._idle.append(connection)
        if now - self._idle[0].free_since > _IDLE_FOR:
            self._idle.pop(0).end()

    def gone(self, connection: Connection, *, by_us: bool) -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if not by_us and not self._open:
            self.lost = True

    async def _connect(self, patience: float) -> Connection:
        """One address of the name after the other, none for longer than its share of `patience`."""
        loop = asyncio.get_running_loop()
        parts = self._parts
        found = await loop.getaddrinfo(parts.name, parts.port, type=socket.SOCK_STREAM)
        problem: OSError | TimeoutError = OSError("the name has no address")
        for family, _, _, _, address in found:
            try:
                async with asyncio.timeout(patience / len(found)):
                    _, connection = await loop.create_connection(
                        partial(Connection, self),
                        str(address[0]),
                        parts.port,
                        family=family,
                        ssl=parts.tls,
                        server_hostname=parts.name if parts.tls else None,
                    )
                return connection
            except (OSError, TimeoutError) as failed:
                problem = failed
        raise problem


class _Parts:
    """A base URL, taken apart. `problem` says why it cannot be used."""

    __slots__ = ("host", "name", "path", "port", "problem", "tls")

    def __init__(self, base: str, host: str | None) -> None:
        self.problem: str | None = None
        try:
            found = urlsplit(base)
            self.name, port = found.hostname or "", found.port
        except ValueError as problem:
            self.name, port, found = "", None, urlsplit("")
            self.problem = str(problem)
        self.tls = ssl.create_default_context() if found.scheme == "https" else None
        self.port = port or (443 if self.tls else 80)
        self.path = found.path.encode()
        self.host = (host if host is not None else found.netloc.rpartition("@")[2]).encode()
        if self.problem is None and (found.scheme not in ("http", "https") or not self.name):
            self.problem = "want http://host or https://host"
