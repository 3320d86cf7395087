"""A local clone of a git repository: where it comes from, and what is changed in it.

As in dstack, replicas clone the remote branch that the checked-out branch follows, at the commit that this machine
knows of it, and add all that is different here: commits that were not pushed, changes, and new files that are not
ignored.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.planning.local_files.archive import Archive, CannotPack, packed, with_files

_SECONDS = 60
"""For one git command."""
_USE_FILES = "use `files` in place of `repos` to copy the folder without git"
_USE_URL = "push the branch, so that replicas can clone it; or write `url` in place of local_path"


@dataclass(frozen=True, kw_only=True)
class WorkingCopy:
    """A local clone."""

    remote: str
    """The URL of its remote, in any form that git reads."""
    branch: str
    """The remote's branch."""
    hash: str
    """The commit of that branch."""
    changes: Archive | None
    """As `ClonedRepository.changes`."""


def read_working_copy(folder: Path) -> WorkingCopy:
    """Return the clone at `folder`.

    Raises:
        CannotPack: it is not a clone, does not follow a remote branch, or its changes are too large.
    """
    root = Path(_git(folder, "rev-parse", "--show-toplevel", else_=(f"{folder} is not a git repository", _USE_FILES)))
    branch = _git(root, "symbolic-ref", "--quiet", "--short", "HEAD", else_=(_NO_BRANCH, "check out a branch"))
    upstream = (f"the branch {branch} follows no remote branch", f"run `git push --set-upstream origin {branch}`")
    tracked = _git(root, "rev-parse", "--verify", "@{upstream}^{commit}", else_=upstream)
    remote = _git(root, "config", f"branch.{branch}.remote", else_=upstream)
    merge = _git(root, "config", f"branch.{branch}.merge", else_=upstream)
    url = _git(root, "remote", "get-url", remote, else_=(f"the remote {remote} has no URL", _USE_URL))
    return WorkingCopy(
        remote=url, branch=merge.removeprefix("refs/heads/"), hash=tracked, changes=_changes(root, tracked)
    )


_NO_BRANCH = "no branch is checked out there (git calls this a detached HEAD)"


def _changes(root: Path, commit: str) -> Archive | None:
    compare = ("diff", "--name-only", "-z", "--no-renames", "--ignore-submodules=dirty", "--no-ext-diff", commit, "--")
    new = ("ls-files", "--others", "--exclude-standard", "-z")
    names = sorted({name for command in (compare, new) for name in _names(root, *command)})
    if not names:
        return None
    archive = packed(_present(root, names), root)
    changed = b"".join(os.fsencode(name) + b"\0" for name in names)
    return with_files(archive, {"changed": changed})


def _present(root: Path, names: list[str]) -> Iterator[tuple[str, Path]]:
    """The changed files that are still there. Their names in the archive begin with `laid/`."""
    for name in names:
        path = root / name.rstrip("/")
        if path.is_dir() and not path.is_symlink():
            if not (path / ".git").exists():
                continue  # it was a file, and what is in it now is named by itself
            why = f"{name} is a repository of its own, and its commit is not the one that was pushed"
            raise CannotPack(why, "push it and the commit that refers to it, or leave it out by .gitignore")
        if path.is_symlink() or path.exists():
            yield f"laid/{name}", path


def _names(root: Path, *arguments: str) -> list[str]:
    listed = _git(root, *arguments, else_=("git could not compare the folder with its remote branch", _USE_URL))
    return [name for name in listed.split("\0") if name]


def _git(folder: Path, *arguments: str, else_: tuple[str, str]) -> str:
    """Return what git prints, without the last end of line. `else_`: why it can fail, and the remedy."""
    # A user's git can have settings that change the output. These commands are plumbing, or say what they need.
    command = ["git", "-C", str(folder), "-c", "core.fsmonitor=false", *arguments]
    try:
        ran = subprocess.run(
            command, capture_output=True, timeout=_SECONDS, check=False, stdin=subprocess.DEVNULL, env=_environment()
        )
    except FileNotFoundError:
        raise CannotPack("git is not installed here", f"install git, or {_USE_FILES}") from None
    except subprocess.TimeoutExpired:
        raise CannotPack(f"git did not answer within {_SECONDS} s", _USE_URL) from None
    if ran.returncode != 0:
        why, remedy = else_
        said = os.fsdecode(ran.stderr).strip().splitlines()
        raise CannotPack(f"{why}; git says: {said[-1]}" if said else why, remedy)
    return os.fsdecode(ran.stdout).removesuffix("\n")


def _environment() -> dict[str, str]:
    """This process's own, without what would lead git to another repository: a hook of git sets it."""
    elsewhere = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")
    return {name: value for name, value in os.environ.items() if name not in elsewhere}
