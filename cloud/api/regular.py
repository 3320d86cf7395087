"""Writes what was collected, at regular times, in a task of the event loop."""

from __future__ import annotations

import asyncio
import contextlib


class RegularWriter:
    """Writes once a period, from `start` until `close`."""

    def __init__(self, period: float) -> None:
        """`period`: seconds."""
        self._period = period
        self._task: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    async def write(self) -> None:
        """Write what was collected. When it returns, a write that was under way is over too."""
        async with self._turn:
            await self.write_now()

    async def write_now(self) -> None:
        """Write what was collected. `write` calls it once at a time."""
        raise NotImplementedError

    def start(self) -> None:
        """Begin to write once in each period."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Write what is left."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self.write()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._period)
            await asyncio.shield(self.write())
