"""The processes that the launcher runs: started, listened to, ended."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

GRACE = 3.0
"""Seconds between asking a child to end and killing it. An answer can finish, and a Ctrl-C still ends promptly."""
LONGEST_LINE = 1 << 20
"""Bytes. A longer line of output is passed on in pieces."""

Hear = Callable[[str], bool]
"""Takes a line of output; returns true if the line is for the launcher and not for the user."""


class ChildDied(Exception):
    """A process ended that must not end. `str()` is the message for the user, below the output of the process."""

    def __init__(self, name: str, status: int) -> None:
        super().__init__(name, status)
        self.name = name
        self.status = status

    def __str__(self) -> str:
        how = f"was killed by {signal.Signals(-self.status).name}" if self.status < 0 else f"ended with {self.status}"
        return f"{self.name} {how}, so everything ends."


class Child:
    """One process in a session of its own, so that a terminal's Ctrl-C reaches the launcher alone.

    Its output is passed on, each line behind its name. Its standard input stays open as long as this process lives
    (see local/child.py).
    """

    def __init__(self, name: str, process: asyncio.subprocess.Process, hear: Hear | None, out: TextIO) -> None:
        self.name = name
        self._process = process
        self._listening = asyncio.create_task(self._listen(hear, out))

    @classmethod
    async def start(
        cls,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        hear: Hear | None = None,
        out: TextIO = sys.stderr,
    ) -> Child:
        """Start `command`, an argument vector, with exactly `environment`; `hear` gets its output first."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
            limit=LONGEST_LINE,
        )
        return cls(name, process, hear, out)

    async def died(self) -> ChildDied:
        """Wait until it has ended, and return how."""
        status = await self._process.wait()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._listening), GRACE)
        return ChildDied(self.name, status)

    async def end(self) -> None:
        """Ask it to end, and kill it after `GRACE`."""
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

    async def _listen(self, hear: Hear | None, out: TextIO) -> None:
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
            if text and not (hear is not None and hear(text)):
                # Reading goes on even if nobody reads the copy: a full pipe would stop the child.
                with contextlib.suppress(OSError, ValueError):
                    out.write(f"[{self.name}] {text}\n")
                    out.flush()
