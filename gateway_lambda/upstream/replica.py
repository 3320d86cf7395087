"""One address of a run, and the connections to it."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from functools import partial

from gateway_lambda.address import address
from gateway_lambda.errors import Header
from gateway_lambda.upstream.connection import Connection, Owner
from gateway_lambda.upstream.health import Health, News
from gateway_lambda.upstream.request import Request

_LOG = logging.getLogger(__name__)

_IDLE_FOR = 60.0
"""Seconds. A connection that was idle for longer is not used again: a proxy or firewall on the way may have forgotten
it."""


class Replica(Owner):
    """One base URL. Idle connections are used again, the most recent one first, so that the others become old and
    end."""

    __slots__ = ("_idle", "_open", "address", "base", "health", "in_flight", "lost", "question", "tls")

    def __init__(
        self, base: str, host: str | None, news: News | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        """`host`: the Host header to send instead of the URL's own. `news`: as of `Health`. `tls`: that of another
        replica; `None`: a new one, which takes 18 ms. Raises `BadAddress`."""
        self.base = base.rstrip("/")
        self.in_flight = 0
        """Requests that wait for their answer's end."""
        self.health = Health(news)
        self.lost = False
        """It failed, or ended its last connection: when it answers again it may be another."""
        self.question: tuple[bytes, Sequence[Header]] | None = None
        """Path and headers of a GET that shows whether it is there; None: that it takes connections has to do."""
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self.address = address(self.base, host)
        self.tls = (tls or ssl.create_default_context()) if self.address.tls else None

    def request(
        self,
        method: bytes,
        target: bytes,
        headers: Sequence[Header],
        body: bytes | AsyncIterator[bytes] = b"",
        length: bytes | None = None,
    ) -> Request:
        """Return a request to this address. `target` is below its path. Raises `NotSendable`."""
        place = self.address
        return Request(method, place.path + target, place.host, headers, body, length)

    def idle_connection(self) -> Connection | None:
        """Return an idle connection, if one is open."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and 0 <= time.time() - connection.free_since <= _IDLE_FOR:
                return connection
            connection.end()
        return None

    async def new_connection(self, patience: float) -> Connection:
        """Return a new connection within `patience` seconds. Raises `OSError`, `TimeoutError`."""
        async with asyncio.timeout(patience):
            return await self._connect(patience)

    def fail(self) -> None:
        """Note that it failed at a request, or does not answer."""
        self.lost = True
        pause = self.health.failed(asyncio.get_running_loop().time())
        if pause:
            _LOG.warning("%s failed several times in a row, and gets no requests for %.0f s", self.base, pause)

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
        """Try the addresses of the name one after the other, each for its share of `patience`."""
        loop = asyncio.get_running_loop()
        place = self.address
        found = await loop.getaddrinfo(place.name, place.port, type=socket.SOCK_STREAM)
        problem: OSError | TimeoutError = OSError("the host name has no address")
        for family, _, _, _, numeric in found:
            try:
                async with asyncio.timeout(patience / len(found)):
                    _, connection = await loop.create_connection(
                        partial(Connection, self),
                        str(numeric[0]),
                        place.port,
                        family=family,
                        ssl=self.tls,
                        server_hostname=place.name if self.tls else None,
                    )
                return connection
            except (OSError, TimeoutError) as failed:
                problem = failed
        raise problem


def replicas_at(bases: Sequence[str], host: str | None, *, shared: bool = False) -> list[Replica]:
    """Return the replicas of one run, one for each base URL. `host`: as of `Replica`. `shared`: other runs can have its
    requests."""
    news = News() if shared or len(bases) > 1 else None
    return [Replica(base, host, news) for base in bases]
