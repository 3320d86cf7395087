"""A control group that limits the memory of all processes of a machine, with version 1 or 2 of control groups."""

from __future__ import annotations

import contextlib
from pathlib import Path

_VERSION_1 = Path("/sys/fs/cgroup/memory")
_VERSION_2 = Path("/sys/fs/cgroup")
_NAME = "servestack-machine"


class MemoryLimit:
    """A control group; `processes` is the file that a process writes its id into. `None`: the kernel offers none."""

    def __init__(self, name: str, megabytes: int) -> None:
        self._folder = (_VERSION_1 if _VERSION_1.is_dir() else _VERSION_2) / f"{_NAME}-{name}"
        limit = "memory.limit_in_bytes" if _VERSION_1.is_dir() else "memory.max"
        try:
            self._folder.mkdir()
            (self._folder / limit).write_text(str(megabytes << 20))
        except OSError:
            self.close()
            self.processes = None
        else:
            self.processes = self._folder / "cgroup.procs"

    def close(self) -> None:
        _remove(self._folder)


def remove_leftovers() -> None:
    """Remove the control groups that ended runs left. One that has processes stays."""
    for parent in (_VERSION_1, _VERSION_2):
        for folder in parent.glob(f"{_NAME}-*"):
            _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a group and the groups that docker made in it, the deepest first."""
    for inner in sorted(folder.glob("**/"), key=lambda path: len(path.parts), reverse=True):
        with contextlib.suppress(OSError):
            inner.rmdir()
