"""One cloud in each folder: a second one would overwrite the files of the first, and end its processes."""

from __future__ import annotations

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


class FolderTaken(Exception):
    """Another cloud runs in the folder. `str()` names the remedy."""


@contextmanager
def held(folder: Path) -> Generator[None]:
    """Keep the folder for this cloud for the time of the block. If this process is killed, the folder is free again.

    Raises:
        FolderTaken: another cloud has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderTaken(
                f"another make cloud runs in {folder}. End it with Ctrl-C in its terminal, or start one beside it "
                f'with another folder and other ports: make cloud ARGS="--folder {folder}-2 --port 5566"'
            ) from None
        yield
