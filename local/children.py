"""The processes that the launcher runs: started, listened to, ended."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TextIO

GRACE = 3.0
"""Seconds between asking a child to end and making it: enough to finish an answer, and a Ctrl-C still ends promptly."""
KEPT_LINES = 20
"""How much of its output is told as the cause when a child dies."""


class ChildDied(Exception):
    """A process ended that had to go on. `str()` is what a user reads."""

    def __init__(self, name: str, status: int, last_words: Sequence[str]) -> None:
        super().__init__(name, status, last_words)
        self.name = name
        self.status = status
        self.last_words = tuple(last_words)

    def __str__(self) -> str:
        how = f"was killed by {signal.Signals(-self.status).name}" if self.status < 0 else f"ended with {self.status}"
        if not self.last_words:
            return f"{self.name} {how}, so everything ends."
        return "\n".join(
            [f"{self.name} {how}, so everything ends. It said:", *(f"  {line}" for line in self.last_words)]
        )


class Child:
    """One process in a session of its own, so that a terminal's Ctrl-C reaches the launcher alone.

    Its output is passed on, each line behind its name, when `heard`; the last lines are kept in any case. Its standard
    input stays open as long as this process lives (see local/child.py).
    """

    def __init__(self, name: str, process: asyncio.subprocess.Process, *, heard: bool, out: TextIO) -> None:
        self.name = name
        self._process = process
        self._last_words: deque[str] = deque(maxlen=KEPT_LINES)
        self._heard = heard
        self._listening = asyncio.create_task(self._listen(out if heard else None))

    @classmethod
    async def start(
        cls,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        heard: bool = True,
        out: TextIO = sys.stderr,
    ) -> Child:
        """Start `command`, an argument vector, with exactly `environment`."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
            limit=1 << 20,
        )
        return cls(name, process, heard=heard, out=out)

    async def died(self) -> ChildDied:
        """Wait until it has ended, and say how."""
        status = await self._process.wait()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._listening), GRACE)
        return ChildDied(self.name, status, () if self._heard else self._last_words)

    async def end(self) -> None:
        """Ask it to end, and make it when it takes longer than `GRACE`."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), GRACE)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        self._listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._listening

    async def _listen(self, out: TextIO | None) -> None:
        stream = self._process.stdout
        if stream is None:
            return
        while True:
            try:
                line = await stream.readuntil(b"\n")
            except asyncio.IncompleteReadError as end:
                line = end.partial
            except asyncio.LimitOverrunError as overrun:
                line = await stream.readexactly(overrun.consumed)
            if not line:
                return
            text = line.decode(errors="replace").rstrip()
            if text:
                self._last_words.append(text)
                if out is not None:
                    print(f"[{self.name}] {text}", file=out, flush=True)
