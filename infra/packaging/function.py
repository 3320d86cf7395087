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
"""Bytes. Lambda takes 50 MB; a larger zip makes every cold start longer."""


@dataclass(frozen=True)
class FunctionPackage:
    """A zip that is ready to be deployed."""

    path: Path
    sha256: str
    """Hex, of the file."""
    size: int
    """Bytes."""
    handler: str
    """What the function's `handler` names."""


def build_function_zip(*, root: Path, cache: Path | None = None) -> FunctionPackage:
    """The zip of the gateway that lies in the project's folder `root`, kept in `cache` (`root/.cache/function`).

    Only packages that are not there yet need network. The same pinned requirements and the same files of the gateway
    give the same bytes, whatever machine, pip and Python make them. Raises `PackagingError`.
    """
    cache = root / ".cache" / "function" if cache is None else cache
    requirements = read_requirements(root / "requirements-lambda.txt")
    gateway = gateway_contents(root)
    packages = wheel_contents(kept_wheels(requirements, cache))
    data = zipped({**packages, **gateway}, executable=START_SCRIPT)
    if len(data) > LIMIT:
        raise PackagingError(
            f"the function's zip has {len(data):,} bytes, more than {LIMIT:,}: a dependency of the gateway grew,"
            " and every cold start with it; leave it out, or raise the limit in infra/packaging"
        )
    digest = sha256(data).hexdigest()
    path = cache / f"gateway-{digest[:16]}.zip"
    try:
        _keep(data, path)
    except OSError as problem:
        raise PackagingError(f"{cache} cannot be written ({problem.strerror}); it keeps what was made") from problem
    return FunctionPackage(path, digest, len(data), START_SCRIPT)


def _keep(data: bytes, path: Path) -> None:
    """The file is whole or not there, also when two make it at once."""
    if path.is_file() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=path.parent) as folder:
        fresh = Path(folder) / path.name
        fresh.write_bytes(data)
        os.replace(fresh, path)
