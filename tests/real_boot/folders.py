"""The folders of test machines, and what machines of ended processes left there."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path

from cloud.machines.nspawn import control_group

FOLDER = Path(__file__).parents[2] / ".cache" / "boot-machines"
MEMORY_MB = 3072
_numbers = itertools.count(1)


def new_folder() -> Path:
    """Return a folder for a machine of this process, which does not exist yet."""
    return FOLDER / f"{os.getpid()}-{next(_numbers)}"


def remove_leftovers() -> None:
    """Remove what machines of ended processes left."""
    for folder in FOLDER.glob("*-*"):
        process, _, _ = folder.name.partition("-")
        if not Path("/proc", process).exists():
            shutil.rmtree(folder, ignore_errors=True)
    control_group.remove_leftovers()
