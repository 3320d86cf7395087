"""How much memory one rendering may take. The kernel's limit of the process's data is lowered while it runs.

So an allocation that is too large fails, in every operation. On a system without such a limit (macOS), the memory of a
rendering has no limit.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

_Input = TypeVar("_Input")
_Output = TypeVar("_Output")

MAX_MEMORY: Final = 64 * 1024 * 1024
"""Bytes beyond what the process had. A prompt has 1.8 MB at most, and a template makes a few copies of it."""
_GROWN: Final = MAX_MEMORY // 4
"""If the process has grown by this much since the last look, a rendering that failed had too little and runs again."""
_limit: Final = resource.setrlimit
_OF_DATA: Final = resource.RLIMIT_DATA
_DATA: Final = 5
"""The field of /proc/self/statm with what RLIMIT_DATA counts: pages of data, and of the stack, which it leaves out."""


class MemoryBound:
    """The limit for renderings of this process."""

    def __init__(self) -> None:
        self._usual = resource.getrlimit(_OF_DATA)
        self._lowered = self._from_now()

    def run(self, render: Callable[[_Input], _Output], given: _Input, *, once: bool = False) -> _Output:
        """Return what `render(given)` returns; it can run twice. Raises `MemoryError` if it takes too much."""
        limit = self._lowered
        _limit(_OF_DATA, limit)
        try:
            return render(given)
        except MemoryError:
            pass  # and leave the block, which keeps what the rendering made
        finally:
            _limit(_OF_DATA, self._usual)
        self._lowered = self._from_now()
        if once or self._lowered[0] - limit[0] < _GROWN:
            raise MemoryError
        return self.run(render, given, once=True)

    def _from_now(self) -> tuple[int, int]:
        """The soft limit, in bytes, and the hard one, which stays."""
        soft, hard = self._usual
        try:
            pages = int(Path("/proc/self/statm").read_text().split()[_DATA])
        except OSError:
            return self._usual
        lowered = pages * resource.getpagesize() + MAX_MEMORY
        return (lowered if soft == resource.RLIM_INFINITY else min(soft, lowered), hard)
