"""What is laid into a container, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from infra.configuration import Secret
from infra.planning.local_files.archive import Archive


@dataclass(frozen=True, kw_only=True)
class LaidFile:
    """A file or a folder of `files`."""

    local_path: str
    """As the user wrote it."""
    path: str
    """In the container: absolute, below `~`, or below the working directory."""
    archive: Archive
    """Its only member at the top is `laid`: the file or the folder."""


@dataclass(frozen=True, kw_only=True)
class ClonedRepository:
    """The repository of `repos`."""

    url: str
    """HTTPS, without credentials."""
    branch: str | None
    """`None`: the default branch."""
    hash: str | None
    """`None`: the newest commit of the branch when a replica starts."""
    path: str
    """In the container, as that of a file."""
    if_exists: Literal["error", "skip"]
    changes: Archive | None
    """Local changes: `changed` has the names of all changed files, each with a NUL at its end, and `laid` has the files
    that are there after the changes. `None`: nothing is changed."""
    token: Secret | None
    """What reads the repository; `None`: it is public."""
