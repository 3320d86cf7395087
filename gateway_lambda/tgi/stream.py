"""The events of one call of `/generate_stream`, as they come."""

from __future__ import annotations

import asyncio

from gateway_lambda.errors import GatewayError, ServiceError, timed_out
from gateway_lambda.tgi.failures import Failure, from_event
from gateway_lambda.tgi.replies import Event, EventReader, decode_event
from gateway_lambda.upstream.reply import Reply


class TgiStream:
    """The events of one call of `/generate_stream`.

    `waiting_since`: since when it waits for bytes, by the clock of the event loop; None while it does not wait.
    """

    __slots__ = ("_ahead", "_given_up", "_grammar", "_loop", "_reader", "_reply", "waiting_since")

    def __init__(self, reply: Reply, *, grammar: str | None) -> None:
        self._reply = reply
        self._reader = EventReader()
        self._grammar = grammar
        self._ahead: list[bytes] | None = None
        self._given_up = False
        self._loop = asyncio.get_running_loop()
        self.waiting_since: float | None = None

    decode = staticmethod(decode_event)
    """From one of the events of `read` to what it says. Raises `ServiceError`."""

    async def peek(self, silence: asyncio.Timeout, patience: float) -> None:
        """Wait for the first event. Every byte before it gives `silence` another `patience` seconds.

        Raises the error in this event. Another replica can then still get the request.
        """
        while not self._ahead:
            self._ahead = await self._read_on()
            silence.reschedule(self._loop.time() + patience)
        event = decode_event(self._ahead[0])
        if event.token is None:
            raise self.failure(event)

    async def read(self) -> list[bytes]:
        """Return the events that have arrived, at least one. Raises `ServiceError` if the stream ends."""
        if self._ahead is not None:
            ahead, self._ahead = self._ahead, None
            return ahead
        while True:
            events = await self._read_on()
            if events:
                return events

    def failure(self, event: Event) -> GatewayError:
        """Return the error in an event without a token."""
        return from_event(Failure(event.error or "", event.error_type), grammar=self._grammar)

    def fail_for(self, error: GatewayError) -> None:
        """Count a failure of the replica, if the replica caused `error`."""
        self._reply.fail_for(error)

    def give_up(self) -> None:
        """Close the connection because of its silence. Then `read` raises a timeout."""
        self._given_up = True
        self._reply.fail()
        self._reply.close()

    async def finish(self) -> None:
        """Wait a moment for the stream's own end after its last event, so that its connection can be used again."""
        try:
            async with asyncio.timeout(1):
                while not self._reply.ended and await self._reply.piece():
                    pass
        except (TimeoutError, ServiceError):
            pass
        finally:
            self._reply.close()

    def close(self) -> None:
        """End the generation, unless it has ended."""
        self._reply.close()

    async def _read_on(self) -> list[bytes]:
        """The events that the next bytes complete."""
        self.waiting_since = self._loop.time()
        try:
            piece = await self._reply.piece()
        except ServiceError:
            if self._given_up:
                raise timed_out("the upstream sent nothing for too long") from None
            raise
        self.waiting_since = None
        if piece:
            return self._reader.feed(piece)
        rest = self._reader.rest()
        if rest:
            return rest
        self._reply.fail()
        raise ServiceError(500, "the upstream ended its stream before the answer was complete", "upstream_incomplete")
