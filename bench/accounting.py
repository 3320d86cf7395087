"""The CPU time and the resident memory of a process and its children, from the kernel's accounting."""

from __future__ import annotations

import time
from pathlib import Path

_CPUCLOCK_SCHED = 2
"""Kind of a process's CPU clock: the scheduler's own count, in nanoseconds (linux/posix-timers.h)."""


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of process `pid` and its living descendants: user and system time of all threads, also of
    those that have ended."""
    return sum(time.clock_gettime((~member << 3) | _CPUCLOCK_SCHED) for member in _family(pid))


def resident_bytes(pid: int) -> int:
    """Return the resident memory of process `pid` and its living descendants. A page that several share counts for
    each."""
    return sum(_status_kib(member, "VmRSS") for member in _family(pid)) * 1024


def _family(pid: int) -> list[int]:
    members = [pid]
    for member in members:
        for task in Path(f"/proc/{member}/task").iterdir():
            members.extend(int(child) for child in (task / "children").read_text().split())
    return members


def _status_kib(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    raise LookupError(f"/proc/{pid}/status has no {field}")
