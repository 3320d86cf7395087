"""A control group of a machine's own, with version 1 or 2 of control groups, or both: it limits the memory, and keeps
machines apart. systemd waits for the end of a unit by the unit's group, and machines have units of the same names."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_MEMORY_1 = _ROOT / "memory"
_NAME = "servestack-machine"


class ControlGroup:
    """The group. `processes` are the files that a process writes its id into; none: the kernel offers no groups."""

    def __init__(self, name: str, memory_mb: int) -> None:
        self._folders = [parent / f"{_NAME}-{name}" for parent in _parents()]
        limit = "memory.limit_in_bytes" if _MEMORY_1.is_dir() else "memory.max"
        try:
            for folder in self._folders:
                folder.mkdir(exist_ok=True)
            (self._folders[0] / limit).write_text(str(memory_mb << 20))
        except OSError:
            self.close()
            self.processes: Sequence[Path] = ()
        else:
            self.processes = [folder / "cgroup.procs" for folder in self._folders]

    def close(self) -> None:
        for folder in self._folders:
            _remove(folder)


def remove_leftovers() -> None:
    """Remove the control groups that ended runs left. One that has processes stays."""
    for parent in _parents():
        for folder in parent.glob(f"{_NAME}-*"):
            _remove(folder)


def _parents() -> Sequence[Path]:
    """Return where groups are made. The first limits memory; version 1 has a hierarchy for each purpose."""
    if not _MEMORY_1.is_dir():
        return [_ROOT]
    return [_MEMORY_1, *(parent for name in ("unified", "systemd") if (parent := _ROOT / name).is_dir())]


def _remove(folder: Path) -> None:
    """Remove a group and the groups that docker and systemd made in it, the deepest first."""
    for inner in sorted(folder.glob("**/"), key=lambda path: len(path.parts), reverse=True):
        with contextlib.suppress(OSError):
            inner.rmdir()
