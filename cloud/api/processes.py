"""Programs of a function's instance: each in a session of its own, ended with this process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cloud.ending import end_with_the_parent

_LINE = 262_144
"""Bytes of a line at which it is cut (quota of CloudWatch Logs)."""


class Program:
    """A running program, whose lines go to `said`."""

    def __init__(self, process: asyncio.subprocess.Process, said: Callable[[str], None]) -> None:
        self._process = process
        self._said = said
        self.ended = asyncio.create_task(self._read())
        """Its exit status, once it has ended."""

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program and what it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    async def _read(self) -> int:
        rest = b""
        if self._process.stdout is not None:
            while data := await self._process.stdout.read(_LINE):
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._said(line.decode(errors="replace"))
                if len(rest) >= _LINE:
                    self._said(rest.decode(errors="replace"))
                    rest = b""
        if rest:
            self._said(rest.decode(errors="replace"))
        return await self._process.wait()


async def started(
    command: Sequence[str], *, environment: Mapping[str, str], folder: Path, said: Callable[[str], None]
) -> Program:
    """Start a program. Raises `OSError`."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=end_with_the_parent,
    )
    return Program(process, said)


def peak_memory(pid: int) -> int:
    """Return the most memory that a process had, in MB; 0 where the system does not say it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    return next((int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmHWM:")), 0)
