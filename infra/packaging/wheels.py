"""The wheels for Lambda's machine: pip downloads them, the cache keeps them, and every use checks their hashes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from infra.packaging.problem import PackagingError
from infra.packaging.requirements import Requirement
from infra.packaging.target import PLATFORMS, PYTHON

_NETWORK = re.compile(
    r"Retrying \(|NewConnectionError|ConnectionError|Name or service not known|Temporary failure in name resolution"
    r"|Read timed out|ProxyError|SSLError|Network is unreachable|Connection refused"
)


def kept_wheels(requirements: Sequence[Requirement], cache: Path) -> list[Path]:
    """Return a wheel for each requirement, in order. Missing or damaged wheels are downloaded into `cache`.

    Raises `PackagingError`.
    """
    asked = [*requirements, *PLATFORMS, PYTHON]
    folder = cache / f"wheels-{sha256(repr(asked).encode()).hexdigest()[:16]}"
    found = _whole(folder, requirements)
    if None in found:
        try:
            _fetch(requirements, folder)
        except OSError as problem:
            raise PackagingError(
                f"{folder}, which stores the function's packages, cannot be written ({problem.strerror}); make it "
                "writable"
            ) from problem
        found = _whole(folder, requirements)
    missing = [pin for (pin, _), wheel in zip(requirements, found, strict=True) if wheel is None]
    if missing:
        raise PackagingError(f"pip downloaded no wheel for {', '.join(missing)}; check the settings of pip")
    return [wheel for wheel in found if wheel is not None]


def _whole(folder: Path, requirements: Sequence[Requirement]) -> list[Path | None]:
    """Return, for each requirement, the wheel in `folder` with one of its hashes."""
    by_hash = {f"sha256:{sha256(path.read_bytes()).hexdigest()}": path for path in sorted(folder.glob("*.whl"))}
    return [next((by_hash[each] for each in wanted.hashes if each in by_hash), None) for wanted in requirements]


def _fetch(requirements: Sequence[Requirement], folder: Path) -> None:
    """Put complete wheels into `folder`, one by one, also when two processes do it at the same time."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder) as name:
        fresh = Path(name)
        listed = fresh / "requirements.txt"
        lines = [" ".join([pin, *(f"--hash={each}" for each in hashes)]) for pin, hashes in requirements]
        listed.write_text("\n".join(lines), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--no-input", "--disable-pip-version-check"]
        command += ["--quiet", "--progress-bar=off", "--retries=1", "--no-deps", "--require-hashes"]
        command += ["--only-binary=:all:", "--implementation=cp", f"--python-version={PYTHON}"]
        command += [f"--platform={platform}" for platform in PLATFORMS]
        command += ["--dest", str(fresh), "--requirement", str(listed)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=_environment())
        if done.returncode != 0:
            raise PackagingError(_explained(done.stderr or done.stdout))
        for wheel in fresh.glob("*.whl"):
            os.replace(wheel, folder / wheel.name)


def _environment() -> dict[str, str]:
    """Return the caller's environment, with its index and proxy. pip's messages stay in English."""
    return {**os.environ, "LC_ALL": "C.UTF-8", "PYTHONWARNINGS": "ignore"}


def _explained(said: str) -> str:
    if "No module named pip" in said:
        return (
            f"{sys.executable} has no pip, which downloads the function's packages; `make setup` creates .venv with pip"
        )
    if "DO NOT MATCH THE HASHES" in said:
        what = "a package does not have the hash of requirements-lambda.txt, so it is not used"
        remedy = "check what your package index or proxy sends; if a release has new files, run `make pins`"
    elif _NETWORK.search(said):
        what = "pip cannot reach the package index"
        remedy = "run `python -m infra.packaging` once with a network connection, or set PIP_INDEX_URL to a mirror;"
        remedy += " .cache keeps the result, which needs no network again"
    elif "No matching distribution found" in said:
        what = f"a package has no wheel for Python {PYTHON} on arm64 Linux"
        remedy = "name a version that has one in pyproject.toml, then run `make pins`"
    else:
        what, remedy = "pip failed", "its last lines say why"
    return f"the function's packages cannot be downloaded: {what}; {remedy}\n{_last_words(said)}"


def _last_words(said: str) -> str:
    """Return pip's last errors, without credentials that the URL of an index can contain."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines
    return re.sub(r"//[^/@\s]+@", "//***@", "\n".join(f"pip: {line[:300]}" for line in errors[-4:]))
