"""Which replica to ask, asking it, and what its failures mean."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from gateway_lambda.errors import Header, RequestError, ServiceError, unavailable, unreachable
from gateway_lambda.registry.record import Service
from gateway_lambda.settings import Settings
from gateway_lambda.upstream.connection import Connection
from gateway_lambda.upstream.replica import Replica
from gateway_lambda.upstream.request import NotSendable
from gateway_lambda.upstream.response import BrokenOff, Response

_Answer = TypeVar("_Answer")

_LOG = logging.getLogger(__name__)

_MAX_WHOLE = 16 * 1024 * 1024
"""Bytes of an answer that is read as a whole: more than 200,000 tokens with their log-probabilities."""


class Reply:
    """A replica's response: its head is there, its body still comes.

    Whoever has it calls `close`, whatever happened; an unfinished body then ends its connection, and with it the
    generation.
    """

    __slots__ = ("_replica", "_response", "_sending", "status")

    def __init__(self, replica: Replica, response: Response, sending: asyncio.Task[None] | None) -> None:
        self.status = response.status
        self._response = response
        self._replica: Replica | None = replica
        self._sending = sending

    @property
    def headers(self) -> Iterable[Header]:
        """As they came, in order."""
        return self._response.headers

    @property
    def ended(self) -> bool:
        """The body's end has arrived."""
        return self._response.ended

    def header(self, name: bytes) -> bytes | None:
        """The first header of that lower-case name."""
        return self._response.header(name)

    async def piece(self) -> bytes:
        """What has arrived, at least a byte; empty at the body's end. Raises `ServiceError` when it broke off."""
        try:
            return await self._response.piece()
        except BrokenOff as problem:
            if self._replica is not None:
                self._replica.lost = True
                _LOG.warning("the response of %s broke off: %s", self._replica.base, problem)
            raise ServiceError(500, "the upstream's answer broke off before its end", "upstream_incomplete") from None

    async def whole(self) -> bytes:
        """The body. Raises `ServiceError` when it broke off."""
        pieces: list[bytes] = []
        size = 0
        while piece := await self.piece():
            pieces.append(piece)
            size += len(piece)
            if size > _MAX_WHOLE:
                raise ServiceError(500, "the upstream's answer is too large; set stream=true", "upstream_error")
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Give the connection back where the body has ended, end it where not."""
        if self._replica is not None:
            self._replica.in_flight -= 1
            self._replica = None
            self._response.close()
            if self._sending is not None:
                self._sending.cancel()


class Upstream:
    """The replicas of one gateway process, and how to ask them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._turn = 0

    def replicas(self, service: Service) -> list[Replica]:
        """A service's addresses; empty when it has none."""
        if service.url is None:
            bases = [self._settings.upstream] if self._settings.upstream else []
        else:
            bases = [service.url] if isinstance(service.url, str) else service.url
        return [Replica(base, service.host) for base in bases]

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

    async def on_a_replica(self, replicas: list[Replica], ask: Callable[[Replica], Awaitable[_Answer]]) -> _Answer:
        """What `ask` gets of a replica; of a second one, where the first is overloaded or cannot be reached."""
        replica = self.choose(replicas)
        try:
            return await ask(replica)
        except ServiceError as error:
            if not error.another or len(replicas) < 2:
                raise
        return await ask(self.choose(replicas, replica))

    async def send(
        self,
        replica: Replica,
        method: bytes,
        target: bytes,
        headers: Sequence[Header],
        body: bytes | AsyncIterator[bytes] = b"",
        *,
        length: bytes | None = None,
        repeatable: bool = True,
    ) -> Reply:
        """Ask a replica, wait for the head of its response.

        `target`, `headers`, `length`: as a `Request` takes them. `repeatable`: the request may be sent once more, on a
        new connection, when one that was used before turns out to be dead. Raises `RequestError` for what cannot be
        sent, and `ServiceError`, whose `another` is true when no byte of a response was seen.
        """
        try:
            request = replica.request(method, target, headers, body, length)
        except NotSendable as problem:
            raise RequestError(str(problem), "invalid_value") from None
        again = False
        replica.in_flight += 1
        response = sending = None
        try:
            while True:
                connection = await self._connect(replica, fresh=again)
                again = repeatable and connection.used and isinstance(body, bytes)
                response = connection.send(request)
                if not isinstance(body, bytes):
                    sending = asyncio.create_task(connection.send_body(body, request.length))
                try:
                    await response.head()
                except BrokenOff as problem:
                    if not again or problem.answered:
                        _LOG.warning("%s gave no answer: %s", replica.base, problem)
                        raise _no_answer(problem) from None
                else:
                    return Reply(replica, response, sending)
        except BaseException as problem:
            replica.in_flight -= 1
            replica.lost = replica.lost or isinstance(problem, ServiceError)
            if response is not None:
                response.close()
            if sending is not None:
                sending.cancel()
            raise

    async def _connect(self, replica: Replica, *, fresh: bool) -> Connection:
        try:
            return await replica.connection(self._settings.connect_timeout, fresh=fresh)
        except (OSError, TimeoutError) as problem:
            _LOG.warning("connecting to %s failed: %s", replica.base, str(problem) or "it took too long")
            raise unreachable("no connection to the run's replica; it may be starting or gone") from None


def _no_answer(problem: BrokenOff) -> ServiceError:
    if problem.answered:
        return unreachable("the run's replica answered with what is no HTTP response", another=False)
    return unreachable("the run's replica closed the connection before it answered")


def _load(replica: Replica) -> int:
    return replica.in_flight
