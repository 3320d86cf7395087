"""From the project's folder to the function's zip, made once for each content."""

from __future__ import annotations

import os
import shutil
import tempfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from infra.packaging.archive import write_archive
from infra.packaging.bytecode import Compiler, compiled, find_compiler
from infra.packaging.contents import START_SCRIPT, Contents, gateway_contents, wheel_contents
from infra.packaging.problem import PackagingError
from infra.packaging.requirements import read_requirements
from infra.packaging.target import PLATFORMS, PYTHON
from infra.packaging.wheels import fetch_wheels

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
    compiled_by: str | None
    """The version of the CPython that compiled its modules; None: they are source alone."""


def build_function_zip(*, root: Path, cache: Path | None = None) -> FunctionPackage:
    """The zip of the gateway that lies in the project's folder `root`.

    It is made where `cache` (`root/.cache/function`) has none of the same content; only packages that are not there
    yet need network. The same input gives the same bytes: the pinned requirements, the gateway's files, and the
    version of the CPython that compiles them. Raises `PackagingError`.
    """
    cache = root / ".cache" / "function" if cache is None else cache
    requirements = read_requirements(root / "requirements-lambda.txt")
    gateway = gateway_contents(root)
    compiler = find_compiler()
    path = cache / f"gateway-{_key(requirements, gateway, compiler)}.zip"
    if not path.is_file():
        wheels = _wheels(requirements, cache)
        contents = gateway | wheel_contents(wheels)
        if compiler is not None:
            contents |= compiled(contents, compiler)
        _write(contents, path)
    data = path.read_bytes()
    digest = sha256(data).hexdigest()
    return FunctionPackage(path, digest, len(data), START_SCRIPT, None if compiler is None else compiler.version)


def _wheels(requirements: Sequence[str], cache: Path) -> Path:
    """The folder of the requirements' wheels."""
    asked = [*requirements, *PLATFORMS, str(PYTHON)]
    folder = cache / f"wheels-{sha256(repr(asked).encode()).hexdigest()[:16]}"
    if not folder.is_dir():
        _placed(folder, lambda fresh: fetch_wheels(requirements, fresh))
    return folder


def _write(contents: Contents, path: Path) -> None:
    def write(fresh: Path) -> None:
        with (fresh / path.name).open("wb") as file:
            write_archive(contents, file)
            size = file.tell()
        if size > LIMIT:
            raise PackagingError(
                f"the function's zip has {size:,} bytes, more than {LIMIT:,}: a dependency of the gateway grew,"
                " and every cold start with it; leave it out, or raise the limit in infra/packaging"
            )

    _placed(path, write, path.name)


def _placed(target: Path, make: Callable[[Path], None], name: str = "") -> None:
    """Make `target` whole or not at all, also when two make it at once: `make` fills a folder that is then moved."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=".making-", dir=target.parent))
    except OSError as problem:
        raise PackagingError(
            f"{target.parent} cannot be written ({problem.strerror}); it keeps what was made"
        ) from problem
    try:
        make(fresh)
        fresh.chmod(0o755)
        os.replace(fresh / name, target)
    except OSError as problem:
        if not target.exists():
            raise PackagingError(
                f"{target} cannot be written ({problem.strerror}); it keeps what was made"
            ) from problem
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _key(requirements: Sequence[str], gateway: Contents, compiler: Compiler | None) -> str:
    """Changes with everything that the zip's bytes depend on, the code of this package included."""
    parts = [*requirements, *PLATFORMS, str(PYTHON), zlib.ZLIB_RUNTIME_VERSION, compiler.version if compiler else ""]
    own = {f"packaging/{path.name}": path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))}
    digest = sha256(repr(parts).encode())
    for name, data in sorted((gateway | own).items()):
        digest.update(f"{name}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()[:16]
