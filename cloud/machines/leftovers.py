"""Processes of machines that nobody ended: found by a variable of their environment, and killed by their ids."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path


def kill_marked(variable: str, value: str) -> int:
    """Kill every process of this user that has this variable with this value, but for this one. Returns how many."""
    killed = 0
    for _ in range(20):  # a process can start another one meanwhile
        found = _marked(f"{variable}={value}".encode())
        if not found:
            break
        for process in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
                killed += 1
        time.sleep(0.05)
    return killed


def _marked(entry: bytes) -> list[int]:
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(folder.name) != os.getpid() and entry in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found
