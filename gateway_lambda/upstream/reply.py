"""The response of a replica, for the part of the gateway that sent the request."""

from __future__ import annotations

import asyncio
import logging

from gateway_lambda.content_coding import NotDecoded, decoded
from gateway_lambda.errors import GatewayError, Header, ServiceError, timed_out
from gateway_lambda.upstream.health import BUSY, FAILING
from gateway_lambda.upstream.replica import Replica
from gateway_lambda.upstream.response import BrokenOff, Response

_LOG = logging.getLogger(__name__)

_MAX_WHOLE = 16 * 1024 * 1024
"""Bytes of an answer that is read as a whole: more than 200,000 tokens with their log-probabilities."""
_LOOKS = 4
"""How often within the time that a replica may be silent it is looked at."""


class Reply:
    """The response of a replica. Its head has arrived, and its body is still coming.

    Its user always calls `close`. This closes the connection of an incomplete body, and so ends the generation.
    """

    __slots__ = (
        "_asked_at",
        "_failed",
        "_fell_silent",
        "_question",
        "_replica",
        "_response",
        "_sending",
        "_timer",
        "status",
    )

    def __init__(
        self, replica: Replica, response: Response, sending: asyncio.Task[None] | None, *, question: bool
    ) -> None:
        self.status = response.status
        self._response = response
        self._replica: Replica | None = replica
        self._sending = sending
        self._question = question
        self._asked_at = replica.health.failed_times
        self._timer: asyncio.TimerHandle | None = None
        self._failed = False
        self._fell_silent = False

    @property
    def headers(self) -> list[Header]:
        """In order, with lower-case names."""
        return self._response.headers

    @property
    def ended(self) -> bool:
        """Whether the end of the body has arrived."""
        return self._response.ended

    def header(self, name: bytes) -> bytes | None:
        """Return the first header with that lower-case name."""
        return self._response.header(name)

    async def piece(self) -> bytes:
        """Return what has arrived, at least a byte; empty at the end. Raises `ServiceError` if it broke off."""
        try:
            return await self._response.piece()
        except BrokenOff as problem:
            if self._fell_silent:
                raise timed_out("the upstream sent nothing for too long") from None
            if self._replica is not None:
                _LOG.warning("the response of %s broke off: %s", self._replica.base, problem)
            self.fail()
            raise ServiceError(
                500, "the upstream's answer broke off before it was complete", "upstream_incomplete"
            ) from None

    async def whole(self) -> bytes:
        """Return the body. Raises `ServiceError` if it broke off."""
        pieces: list[bytes] = []
        size = 0
        while piece := await self.piece():
            pieces.append(piece)
            size += len(piece)
            if size > _MAX_WHOLE:
                raise ServiceError(500, "the upstream's answer is too large; set stream=true", "upstream_error")
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def error_body(self) -> bytes:
        """Return the body of an error without its content coding; empty: it cannot be decoded.

        Raises `ServiceError` when it broke off.
        """
        try:
            return decoded(await self.whole(), self.header(b"content-encoding"), _MAX_WHOLE)
        except NotDecoded as problem:
            _LOG.warning("an error of an upstream cannot be read: %s", problem)
            return b""

    def limit_silence(self, patience: float) -> None:
        """From now on, `piece` raises a timeout when nothing has come for `patience` seconds, or a quarter more.

        A timer does this, so that a piece costs nothing. It does not start for an answer that has arrived whole.
        """
        if self._response.ended:
            return
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(patience / _LOOKS, self._look, patience / _LOOKS, None, 0)

    def fail(self) -> None:
        """Count a failure of the replica: this is not the whole answer. Each reply counts as one failure at most."""
        if self._replica is not None and not self._failed:
            self._failed = True
            self._replica.fail()

    def fail_for(self, error: GatewayError) -> None:
        """Count a failure, unless the caller caused `error`, or the replica says that it is busy."""
        if error.status in FAILING:
            self.fail()

    def close(self) -> None:
        """Give the connection back if the body has ended, otherwise close it."""
        replica = self._replica
        if replica is None:
            return
        replica.in_flight -= 1
        if self._response.ended and not self._question and not self._failed:
            if self.status in FAILING:
                replica.fail()
            else:
                replica.health.succeeded(self._asked_at)
                if self.status in BUSY:
                    replica.health.busy(asyncio.get_running_loop().time())
        self._replica = None
        self._response.close()
        if self._timer is not None:
            self._timer.cancel()
        if self._sending is not None:
            self._sending.cancel()

    def _look(self, after: float, waiter: object, times: int) -> None:
        times = times + 1 if waiter is not None and waiter is self._response.waiter else 0
        if times == _LOOKS:
            self._fell_silent = True
            self._response.close()
            return
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(after, self._look, after, self._response.waiter, times)
