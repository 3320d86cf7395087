"""The system's limit of open files, which connections count against."""

from __future__ import annotations

import resource

_OTHERS = 64
"""Files that the process has open beside connections: the registry, the log, libraries while they load."""


def connections_for(wanted: int) -> int:
    """Return how many clients can have a connection at once, at most `wanted`.

    Each of them can need a second connection, to a replica. The process's limit of open files is raised for them, as
    far as the system allows. It is 1024 in many shells, and a process that reaches it cannot connect to a replica.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * wanted + _OTHERS
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return max(1, (allowed - _OTHERS) // 2)
