"""The environment of each client: made once from the folder of the client, then kept in `.cache/clients/<name>`.

A folder beside this file describes an environment. It has a `requirements.txt` (exact versions of everything) or a
`package.json` with its `package-lock.json`.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.isolation import proxies

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".cache" / "clients"
OLDEST_NODE = 20
WITHIN = 400
"""Seconds for pip or npm to install one client."""


class CannotInstall(Exception):
    """The text says why."""


def names() -> list[str]:
    """Return the names of all clients that have an environment."""
    return sorted(folder.name for folder in HERE.iterdir() if _lock_of(folder).exists())


def is_node(name: str) -> bool:
    """Return whether it is a client for Node.js."""
    return (HERE / name / "package.json").exists()


def problem_with(name: str) -> str | None:
    """Install a client, if it is not installed. Return why that is not possible, or None."""
    try:
        install(name)
    except CannotInstall as problem:
        return str(problem)
    return None


def install(name: str) -> Path:
    """Return the folder of a client's environment. Make it at the first use, which needs the network.

    Raises `CannotInstall`.
    """
    if is_node(name):
        check_node()
    folder, stamp = CACHE / name, _stamp(name)
    if _installed(folder) == stamp:
        return folder
    with _alone(name):
        if _installed(folder) != stamp:
            print(f"Installing {name} into .cache/clients/{name} (once) …", file=sys.stderr, flush=True)
            shutil.rmtree(folder, ignore_errors=True)
            _npm(name, folder) if is_node(name) else _pip(name, folder)
            (folder / ".installed").write_text(stamp)
    return folder


@functools.cache
def check_node() -> None:
    if shutil.which("npm") is None or shutil.which("node") is None:
        raise CannotInstall("there is no npm command")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=30).stdout.strip()
    if int(version.lstrip("v").partition(".")[0] or 0) < OLDEST_NODE:
        raise CannotInstall(f"Node.js is {version}, but these clients need {OLDEST_NODE} or newer")


def _pip(name: str, folder: Path) -> None:
    venv.create(folder, with_pip=False)
    python = str(folder / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", "install", "-q"]
    quick = ["--no-deps", "--no-compile", "--retries", "1", "--timeout", "15"]
    _run([*pip, *quick, "-r", str(_lock_of(HERE / name))], folder)


def _npm(name: str, folder: Path) -> None:
    folder.mkdir(parents=True)
    for file in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name / file, folder)
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
    _run(["npm", "ci", *quiet, "--fetch-retries=1", "--fetch-timeout=30000"], folder)


def _run(command: list[str], folder: Path) -> None:
    environment = {**os.environ, **proxies()}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=WITHIN,
        )
    except subprocess.TimeoutExpired:
        raise CannotInstall(f"{command[0]} did not end within {WITHIN} s") from None
    if done.returncode:
        said = done.stderr.strip() or done.stdout.strip()
        tool = "npm" if command[0] == "npm" else "pip"
        if re.search(r"connect|network|ENOTFOUND|EAI_AGAIN|timed? ?out", said, re.IGNORECASE):
            raise CannotInstall(f"{tool} could not download it: there is no connection to its registry")
        raise CannotInstall(f"{tool} could not install it: {' '.join(said.splitlines()[-1:])}")


def _lock_of(folder: Path) -> Path:
    return next(
        filter(Path.exists, (folder / "package-lock.json", folder / "requirements.txt")), folder / "requirements.txt"
    )


def _stamp(name: str) -> str:
    """What an environment was made from; another stamp means: make it again."""
    made_with = "npm" if is_node(name) else f"{sys.version} {sys.base_prefix}"
    return f"{hashlib.sha256(_lock_of(HERE / name).read_bytes()).hexdigest()} {made_with}"


def _installed(folder: Path) -> str | None:
    try:
        return (folder / ".installed").read_text()
    except OSError:
        return None


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Only one process at a time installs a client. The lock ends with its process."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
