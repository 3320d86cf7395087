"""Real git repositories for tests, which know nothing of the settings of this machine's user."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

ADDRESS = "https://git.example.com/org/app.git"
"""Where the clones say that they come from."""


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder, and return what it prints."""
    nobody = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    command = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments]
    environment = {**os.environ, **nobody}
    ran = subprocess.run(command, capture_output=True, text=True, timeout=500, check=True, env=environment)
    return ran.stdout.strip()


def cloned(folder: Path, files: Mapping[str, str]) -> Path:
    """Return a clone, `folder/clone`, of a bare repository, `folder/origin.git`, with one commit of `files`, their
    texts by path, on the branch `main`."""
    origin, clone = folder / "origin.git", folder / "clone"
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "--bare", "--initial-branch", "main", str(origin))
    git(folder, "clone", "--quiet", str(origin), str(clone))
    git(clone, "checkout", "--quiet", "-B", "main")
    for name, text in files.items():
        path = clone / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    committed(clone, "first")
    git(clone, "push", "--quiet", "--set-upstream", "origin", "main")
    git(clone, "remote", "set-url", "origin", ADDRESS)
    return clone


def committed(clone: Path, message: str) -> str:
    """Commit everything, and return the commit's hash."""
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--message", message)
    return git(clone, "rev-parse", "HEAD")
