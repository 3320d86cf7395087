"""Ending with the process that started this one, even if that one is killed."""

from __future__ import annotations

import ctypes
import signal
import sys

_PDEATHSIG = 1
"""prctl(2): PR_SET_PDEATHSIG."""
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def end_with_the_parent() -> None:
    """On Linux the kernel ends this process with the thread that started it. Elsewhere nothing happens."""
    if _LIBC is not None:
        _LIBC.prctl(_PDEATHSIG, signal.SIGKILL)
