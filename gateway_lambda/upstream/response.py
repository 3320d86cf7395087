"""The response of a replica while it arrives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum, auto

from gateway_lambda.errors import Header


class BrokenOff(Exception):
    """The connection ended, or the answer is not HTTP.

    `answered`: a byte had arrived. `untaken`: the replica cannot have seen the whole request.
    """

    def __init__(self, reason: str, *, answered: bool, untaken: bool = False) -> None:
        super().__init__(reason)
        self.answered = answered
        self.untaken = untaken


class State(Enum):
    HEAD = auto()
    """Waiting for the response's head, 1xx responses included."""
    BODY = auto()
    """The head is there, the body comes."""
    COMPLETE = auto()
    """The whole response is there."""
    BROKEN = auto()
    """No more will come, and something is missing."""


class Response:
    """The response of a replica. Bytes that arrived are read before an end or an error that came after them."""

    __slots__ = (
        "_broken",
        "_caught_up",
        "_end",
        "_pieces",
        "_size",
        "_waiter",
        "ended",
        "headers",
        "seen",
        "state",
        "status",
        "untaken",
    )

    def __init__(self, end: Callable[[], None], caught_up: Callable[[], None]) -> None:
        """`end` closes the connection; `caught_up` is called when a reader has taken all that had arrived."""
        self.status = 0
        self.headers: list[Header] = []
        """In order, with lower-case names."""
        self.state = State.HEAD
        self.ended = False
        """The body's end has arrived."""
        self.seen = False
        """A byte has arrived, if only of a 1xx response."""
        self.untaken = False
        """The replica ended the connection before the whole request had arrived there."""
        self._end = end
        self._caught_up = caught_up
        self._pieces: list[bytes] = []
        self._size = 0
        self._waiter: asyncio.Future[None] | None = None
        self._broken: BrokenOff | None = None

    @property
    def waiter(self) -> object:
        """The same object while a reader waits for the same piece; None while nobody waits."""
        return self._waiter

    async def head(self) -> None:
        """Wait for status and headers. Raises `BrokenOff`."""
        while self.state is State.HEAD:
            await self._wait()
        if self._broken is not None and not self.status:
            raise self._broken

    async def piece(self) -> bytes:
        """Return what has arrived of the body, at least one byte; empty: the body has ended. Raises `BrokenOff`."""
        while not self._pieces:
            if self.state is State.COMPLETE:
                return b""
            if self._broken is not None:
                raise self._broken
            await self._wait()
        pieces, self._pieces = self._pieces, []
        self._size = 0
        if self.state is State.BODY:
            self._caught_up()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """End the connection, unless the response is complete."""
        if self.state in (State.HEAD, State.BODY):
            self._end()

    def header(self, name: bytes) -> bytes | None:
        """The first header of that lower-case name."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    def begin(self) -> None:
        """Note that the head is complete."""
        self.state = State.BODY
        self._wake()

    def add(self, piece: bytes) -> int:
        """Add a piece of the body, and return how many bytes wait for a reader."""
        self._pieces.append(piece)
        self._size += len(piece)
        self._wake()
        return self._size

    def complete(self) -> None:
        """Note that the response is complete."""
        self.state = State.COMPLETE
        self.ended = True
        self._wake()

    def break_off(self, reason: str) -> None:
        """Note that nothing more will arrive."""
        self._broken = BrokenOff(reason, answered=self.seen, untaken=self.untaken)
        self.state = State.BROKEN
        self._wake()

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
