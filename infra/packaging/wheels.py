"""Getting the wheels for Lambda's machine, by pip, checked by their hashes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from infra.packaging.problem import PackagingError
from infra.packaging.target import PLATFORMS, PYTHON

_NETWORK = re.compile(
    r"Retrying \(|NewConnectionError|ConnectionError|Name or service not known|Temporary failure in name resolution"
    r"|Read timed out|ProxyError|SSLError|Network is unreachable|Connection refused"
)
_VERSION = ".".join(map(str, PYTHON))


def fetch_wheels(requirements: Sequence[str], folder: Path) -> None:
    """Put the wheels of hashed requirements into `folder`. Raises `PackagingError`."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as listed:
        listed.write("".join(f"{line}\n" for line in requirements))
        listed.flush()
        command = [sys.executable, "-m", "pip", "download", "--no-input", "--disable-pip-version-check"]
        command += ["--quiet", "--progress-bar=off", "--retries=1", "--no-deps", "--require-hashes"]
        command += ["--only-binary=:all:", "--implementation=cp", f"--python-version={_VERSION}"]
        command += [f"--platform={platform}" for platform in PLATFORMS]
        command += ["--dest", str(folder), "--requirement", listed.name]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=_environment())
    if done.returncode != 0:
        raise PackagingError(_explained(done.stderr or done.stdout))


def _environment() -> dict[str, str]:
    """The caller's, with whichever index and proxy it names; pip's words stay in English."""
    return {**os.environ, "LC_ALL": "C.UTF-8", "PYTHONWARNINGS": "ignore"}


def _explained(said: str) -> str:
    if "No module named pip" in said:
        return f"{sys.executable} has no pip, which gets the function's packages; `make setup` makes .venv with one"
    if "DO NOT MATCH THE HASHES" in said:
        what = "a package differs from the hash in requirements-lambda.txt, so it is not used"
        remedy = "look at what your package index or proxy sends; `make pins` takes up a release that has new files"
    elif _NETWORK.search(said):
        what = "pip cannot reach the package index"
        remedy = "run `python -m infra.packaging` once where there is network, or name a mirror in PIP_INDEX_URL;"
        remedy += " what was made is kept in .cache and needs no network again"
    elif "No matching distribution found" in said:
        what = f"a package has no wheel for Python {_VERSION} on arm64 Linux"
        remedy = "pin a version that has one: `make pins` after naming it in pyproject.toml"
    else:
        what, remedy = "pip failed", "its last words tell why"
    return f"the function's packages cannot be had: {what}; {remedy}\n{_last_words(said)}"


def _last_words(said: str) -> str:
    """The last errors that pip wrote, without credentials that an index's URL may hold."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines
    return re.sub(r"//[^/@\s]+@", "//***@", "\n".join(f"pip: {line[:300]}" for line in errors[-4:]))
