"""The HTTP client towards replicas: connections, which replica to ask, and what its failures mean."""

from __future__ import annotations

import io
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import aiohttp
from yarl import URL

from gateway_lambda.errors import ServiceError, timed_out, unavailable, unreachable
from gateway_lambda.registry.record import Service
from gateway_lambda.settings import Settings

_LOG = logging.getLogger(__name__)

_NO_AUTO_HEADERS = frozenset(("Accept", "Accept-Encoding", "Content-Type", "User-Agent"))
_LARGE = 1024 * 1024
"""Bytes. Larger bodies are written piece by piece, so that other requests get their turn."""

_BROKEN = (aiohttp.ClientError, OSError)


class Replica:
    """One address of a run, and what is known of it."""

    __slots__ = ("_urls", "base", "failed", "in_flight")

    def __init__(self, base: str) -> None:
        self.base = base.rstrip("/")
        self.in_flight = 0
        self.failed = False
        """It failed since somebody last looked what it is; when it comes back it may be another."""
        self._urls: dict[str, URL] = {}

    def url(self, path: str) -> URL:
        """The URL of one of the few fixed paths of an upstream's API."""
        known = self._urls.get(path)
        if known is None:
            known = self._urls[path] = URL(self.base + path, encoded=True)
        return known


class Reply:
    """An upstream's response: its head is there, its body still comes.

    Whoever has it calls `close`, whatever happened; an unfinished body then ends its connection, and with it the
    generation.
    """

    __slots__ = ("_content", "_replica", "_response", "status")

    def __init__(self, replica: Replica, response: aiohttp.ClientResponse) -> None:
        self.status = response.status
        self._response = response
        self._content = response.content
        self._replica: Replica | None = replica

    @property
    def headers(self) -> Mapping[str, str]:
        """Case-insensitive."""
        return self._response.headers

    @property
    def raw_headers(self) -> Iterable[tuple[bytes, bytes]]:
        """As they came, in order."""
        return self._response.raw_headers

    async def piece(self) -> bytes:
        """What has arrived, at least a byte; empty at the body's end. Raises `ServiceError` when it broke off."""
        try:
            return await self._content.readany()
        except TimeoutError:
            raise timed_out("the upstream took too long") from None
        except _BROKEN as problem:
            raise self._broke_off(problem) from None

    async def whole(self) -> bytes:
        """The body. Raises `ServiceError` when it broke off or took too long."""
        try:
            return await self._response.read()
        except TimeoutError:
            raise timed_out("the upstream took longer than it may for a whole answer; set stream=true") from None
        except _BROKEN as problem:
            raise self._broke_off(problem) from None

    @property
    def ended(self) -> bool:
        """The body's end has arrived."""
        return self._content.at_eof()

    def close(self) -> None:
        """Give the connection back where the body has ended, end it where not."""
        if self._replica is not None:
            self._replica.in_flight -= 1
            self._replica = None
            self._response.close()

    def _broke_off(self, problem: Exception) -> ServiceError:
        if self._replica is not None:
            self._replica.failed = True
            _LOG.warning("the response of %s broke off: %r", self._replica.base, problem)
        return ServiceError(500, "the upstream's answer broke off before its end", "upstream_incomplete")


class Upstream:
    """The connections of one gateway process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None
        connect = settings.connect_timeout
        self.plain = aiohttp.ClientTimeout(total=settings.plain_timeout, sock_connect=connect)
        """For a whole answer."""
        self.streamed = aiohttp.ClientTimeout(total=None, sock_connect=connect)
        """For a stream, which is watched for silence instead."""
        self.short = aiohttp.ClientTimeout(total=connect, sock_connect=connect)
        """For questions that are answered at once."""
        self._turn = 0

    async def close(self) -> None:
        """End all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def replicas(self, service: Service) -> list[Replica]:
        """A service's addresses; empty when it has none."""
        if service.url is None:
            bases = [self._settings.upstream] if self._settings.upstream else []
        else:
            bases = [service.url] if isinstance(service.url, str) else service.url
        return [Replica(base) for base in bases]

    def choose(self, replicas: list[Replica], other_than: Replica | None = None) -> Replica:
        """The replica with the fewest requests in flight, by turns among equals. Raises `ServiceError` without one."""
        left = [replica for replica in replicas if replica is not other_than] if other_than else replicas
        if not left:
            raise unavailable("this run has no replica now; try again shortly")
        if len(left) == 1:
            return left[0]
        self._turn += 1
        turn = self._turn % len(left)
        return min(left[turn:] + left[:turn], key=_load)

    async def send(
        self,
        replica: Replica,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        body: bytes | AsyncIterator[bytes] | None,
        patience: aiohttp.ClientTimeout,
    ) -> Reply:
        """Ask a replica, wait for the head of its response.

        `patience` is one of `plain`, `streamed` and `short`. Raises `ServiceError`; its `another` is true when no
        byte of a response was seen.
        """
        data: Any = io.BytesIO(body) if isinstance(body, bytes) and len(body) > _LARGE else body
        replica.in_flight += 1
        answered = False
        try:
            response = await self._open_session().request(
                method,
                url,
                data=data,
                headers=headers,
                allow_redirects=False,
                timeout=patience,
            )
            answered = True
            return Reply(replica, response)
        except (aiohttp.ConnectionTimeoutError, aiohttp.ClientConnectorError) as problem:
            _LOG.warning("connecting to %s failed: %s", replica.base, problem)
            raise unreachable("no connection to the run's replica; it may be starting or gone") from None
        except TimeoutError:
            raise timed_out("the upstream took longer than it may for a whole answer; set stream=true") from None
        except (aiohttp.InvalidURL, ValueError) as problem:
            _LOG.error("%s cannot be asked: %s", replica.base, problem)
            raise ServiceError(502, "the run's address cannot be used", "upstream_misconfigured") from None
        except _BROKEN as problem:
            _LOG.warning("%s gave no answer: %r", replica.base, problem)
            raise unreachable("the run's replica closed the connection before it answered") from None
        finally:
            if not answered:
                replica.in_flight -= 1
                replica.failed = True

    def _open_session(self) -> aiohttp.ClientSession:
        """Made at the first request, inside the running loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=15, ttl_dns_cache=10),
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=_NO_AUTO_HEADERS,
                auto_decompress=False,
                max_line_size=32768,
                max_field_size=32768,
            )
        return self._session


def _load(replica: Replica) -> int:
    return replica.in_flight
