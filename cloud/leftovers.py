"""Processes of a cloud that was killed. A mark in their environment shows them."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

MARK = "SERVESTACK_CLOUD"
"""Names the folder of the cloud in the environment of every process that belongs to it."""
_LONGEST = 10.0
"""Seconds that the kernel may take to end them."""


def end_marked(variable: str, value: str) -> int:
    """Kill the processes that have this variable with this value, and return how many there were. This process and its
    parent are not among them.

    Linux alone shows the environment of processes. Elsewhere each part ends by itself when its parent has gone.
    """
    entry = f"{variable}={value}".encode()
    ended: set[int] = set()
    late = time.monotonic() + _LONGEST
    while (found := _marked(entry)) and time.monotonic() < late:  # a process can start another one meanwhile
        for process in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        ended.update(found)
        time.sleep(0.05)
    return len(ended)


def _marked(wanted: bytes) -> list[int]:
    found: list[int] = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            mine = int(entry.name) in (os.getpid(), os.getppid())
            if not mine and wanted in (entry / "environ").read_bytes().split(b"\0") and _lives(entry):
                found.append(int(entry.name))
    return found


def _lives(entry: Path) -> bool:
    """Whether a process runs. A zombie has ended, although its parent has not read its status."""
    return (entry / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
