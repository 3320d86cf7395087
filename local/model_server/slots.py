"""llama.cpp's places for generations. Those that ask first get a place first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from itertools import takewhile


class Slots:
    """A fixed number of places.

    Of the free places, the one is used whose last tokens begin most like the new prompt, because llama.cpp then
    computes only the rest. What it keeps is exactly what it would compute again.
    """

    def __init__(self, count: int) -> None:
        self._free: dict[int, Sequence[int] | str] = dict.fromkeys(range(count), ())
        self._turns = asyncio.Semaphore(count)
        self._count = count
        self._waiting = 0

    @property
    def running(self) -> int:
        """The number of places in use."""
        return self._count - len(self._free)

    @property
    def waiting(self) -> int:
        """Generations that wait for a place."""
        return self._waiting

    @asynccontextmanager
    async def take(self, tokens: list[int] | str) -> AsyncGenerator[int, None]:
        """Wait for a place and keep it. `tokens` is kept too: at the end it is what the place has computed.

        A caller that does not know the tokens gives the text of the prompt.
        """
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        place = max(self._free, key=lambda free: _common(self._free[free], tokens))
        del self._free[place]
        try:
            yield place
        finally:
            self._free[place] = tokens
            self._turns.release()


def _common(left: Sequence[int] | str, right: Sequence[int] | str) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(left, right, strict=False)))
