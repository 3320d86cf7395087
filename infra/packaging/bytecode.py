"""Compiling the zip's modules ahead, which halves a cold start: Lambda's folder is read-only and keeps no bytecode.

Only a CPython of the function's version can do it. Where there is none, the zip holds source alone and works the same.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from infra.packaging.contents import Contents
from infra.packaging.problem import PackagingError
from infra.packaging.target import PYTHON, TASK_ROOT

_ASK = "import sys; print(sys.implementation.cache_tag, sys.abiflags or '-', sys.version.split()[0])"
_TAG = f"cpython-{PYTHON[0]}{PYTHON[1]}"


@dataclass(frozen=True)
class Compiler:
    """A CPython whose bytecode the function can run."""

    path: str
    version: str


def find_compiler() -> Compiler | None:
    """This interpreter, else `python3.13` on PATH; None where neither is a CPython of the function's version."""
    named = shutil.which(f"python{PYTHON[0]}.{PYTHON[1]}")
    for path in (sys.executable, named):
        if path and (version := _version(path)):
            return Compiler(path, version)
    return None


def compiled(contents: Contents, compiler: Compiler) -> Contents:
    """`__pycache__` for the modules in `contents`: used without looking at the source. Raises `PackagingError`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        for path, data in contents.items():
            if path.endswith(".py"):
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(data)
        command = [compiler.path, "-I", "-m", "compileall", "-q", "-f", "-s", str(folder), "-p", TASK_ROOT]
        command += ["--invalidation-mode=unchecked-hash", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        if done.returncode != 0:
            said = (done.stdout or done.stderr)[-600:]
            raise PackagingError(f"{compiler.path} cannot compile what goes into the function:\n{said}")
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.pyc")}


def _version(path: str) -> str | None:
    try:
        asked = subprocess.run([path, "-I", "-c", _ASK], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    tag, _, rest = asked.stdout.strip().partition(" ")
    flags, _, version = rest.partition(" ")
    return version if asked.returncode == 0 and (tag, flags) == (_TAG, "-") else None
