"""What a cloud leaves that was killed: processes, by the mark in their environment."""

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


def end_leftovers(folder: Path) -> int:
    """End the processes of an earlier cloud in `folder`, and return how many there were.

    Linux alone shows the environment of processes. Elsewhere each part ends by itself when its parent has gone.
    """
    found = _marked(folder)
    for process in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    end = time.monotonic() + _LONGEST
    while found and _marked(folder) and time.monotonic() < end:
        time.sleep(0.05)
    return len(found)


def _marked(folder: Path) -> list[int]:
    wanted = f"{MARK}={folder.absolute()}".encode()
    found: list[int] = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            mine = int(entry.name) in (os.getpid(), os.getppid())
            if not mine and wanted in (entry / "environ").read_bytes().split(b"\0") and _lives(entry):
                found.append(int(entry.name))
    return found


def _lives(entry: Path) -> bool:
    """A zombie has ended, and only its parent has not asked how."""
    return (entry / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
