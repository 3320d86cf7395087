"""From the project's folder to the function's zip."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from infra.packaging.archive import zipped
from infra.packaging.contents import START_SCRIPT, gateway_contents, wheel_contents
from infra.packaging.problem import PackagingError
from infra.packaging.requirements import read_requirements
from infra.packaging.wheels import kept_wheels

LIMIT = 12_000_000
"""The most bytes. Lambda allows 50 MB, but a larger zip makes every cold start longer."""


@dataclass(frozen=True)
class FunctionPackage:
    """A zip that is ready for deployment."""

    path: Path
    sha256: str
    """SHA-256 of the file, in hex."""
    size: int
    """The size in bytes."""
    handler: str
    """The value of the function's `handler`."""


def build_function_zip(*, root: Path, cache: Path | None = None) -> FunctionPackage:
    """Make the zip of the gateway in the project's folder `root`, and store it in `cache` (`root/.cache/function`).

    Only packages that are not in the cache need a network connection. The same pinned requirements and the same files
    of the gateway give the same bytes on every machine, with every pip and Python. Raises `PackagingError`.
    """
    cache = root / ".cache" / "function" if cache is None else cache
    requirements = read_requirements(root / "requirements-lambda.txt")
    gateway = gateway_contents(root)
    packages = wheel_contents(kept_wheels(requirements, cache))
    data = zipped({**packages, **gateway}, executable=START_SCRIPT)
    if len(data) > LIMIT:
        raise PackagingError(
            f"the function's zip has {len(data):,} bytes, but the limit is {LIMIT:,}: a dependency of the gateway has "
            "grown and makes every cold start longer; remove it, or raise the limit in infra/packaging"
        )
    digest = sha256(data).hexdigest()
    path = cache / f"gateway-{digest[:16]}.zip"
    try:
        _keep(data, path)
    except OSError as problem:
        raise PackagingError(
            f"{cache}, which stores the function's zip, cannot be written ({problem.strerror}); make it writable"
        ) from problem
    return FunctionPackage(path, digest, len(data), START_SCRIPT)


def _keep(data: bytes, path: Path) -> None:
    """Write the file completely or not at all, also when two processes write it at the same time."""
    if path.is_file() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=path.parent) as folder:
        fresh = Path(folder) / path.name
        fresh.write_bytes(data)
        os.replace(fresh, path)
