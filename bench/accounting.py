"""What a process and its children have used: CPU time and resident memory, from the kernel's own accounting."""

from __future__ import annotations

import time
from pathlib import Path

_CPUCLOCK_SCHED = 2
"""Kind of a process's CPU clock: the scheduler's own count, in nanoseconds (linux/posix-timers.h)."""


def cpu_seconds(pid: int) -> float:
    """CPU time of process `pid` and its living descendants, user and system, all threads, ended ones too."""
    return sum(time.clock_gettime((~member << 3) | _CPUCLOCK_SCHED) for member in _family(pid))


def resident_bytes(pid: int) -> int:
    """Resident memory of process `pid` and its living descendants; pages they share count for each."""
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
