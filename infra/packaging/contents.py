"""What goes into the zip: paths in it, and their bytes."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from infra.packaging.problem import PackagingError

START_SCRIPT = "run.sh"
"""The function's handler: what the adapter's wrapper starts. It has to be executable, with LF at its lines' ends."""

Contents = dict[str, bytes]
"""Path in the zip, with slashes, to content."""

_UNUSED_SUFFIXES = frozenset((".c", ".h", ".pxd", ".pxi", ".pyi", ".pyx", ".tmpl", ".typed"))
_UNUSED_FOLDERS = frozenset(("__pycache__", "bin", "tests", "test"))
_UNUSED_MODULES = re.compile(r"/_testcapi\.")
_METADATA = re.compile(r"^[^/]+\.dist-info/(METADATA|licenses/.*|LICEN[CS]E.*|NOTICE.*)$")
"""Of a distribution's own description, what asks for a version needs the first, and its licence wants to be kept."""


def gateway_contents(root: Path) -> Contents:
    """The gateway's package and its start script. Raises `PackagingError`."""
    package = root / "gateway_lambda"
    if not (package / "__main__.py").is_file():
        raise PackagingError(
            f"{package} holds no gateway, whose __main__.py the function runs; give the project's root"
        )
    files = {path.relative_to(root).as_posix(): path for path in package.rglob("*") if path.is_file()}
    found = {name: _text(path.read_bytes()) for name, path in files.items() if _belongs(name)}
    found[START_SCRIPT] = _text((Path(__file__).parent / START_SCRIPT).read_bytes())
    return found


def wheel_contents(folder: Path) -> Contents:
    """What the wheels in `folder` install, without what nothing reads when the gateway runs."""
    found: Contents = {}
    for wheel in sorted(folder.glob("*.whl")):
        for name, data in _installed(wheel):
            if found.setdefault(name, data) != data:
                raise PackagingError(f"two packages hold different files named {name}, one of them {wheel.name}")
    return found


def _belongs(name: str) -> bool:
    parts = PurePosixPath(name).parts
    if any(part.startswith(".") or part == "__pycache__" for part in parts):
        return False
    return not name.endswith((".pyc", ".pyi", ".md", "~"))


def _installed(wheel: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            name = _place(info.filename)
            if name is not None and not info.is_dir():
                yield name, archive.read(info)


def _place(name: str) -> str | None:
    """Where a wheel's file is installed; None for one that is left out. Files of `*.data` have a scheme's folder."""
    parts = PurePosixPath(name).parts
    if parts[0].endswith(".data"):
        if parts[1] not in ("purelib", "platlib"):
            return None
        parts = parts[2:]
    if parts[0].endswith(".dist-info"):
        return "/".join(parts) if _METADATA.match("/".join(parts)) else None
    if _UNUSED_FOLDERS.intersection(parts[:-1]) or PurePosixPath(name).suffix in _UNUSED_SUFFIXES:
        return None
    placed = "/".join(parts)
    return None if _UNUSED_MODULES.search(placed) else placed


def _text(data: bytes) -> bytes:
    """With LF, whatever the checkout has."""
    return data.replace(b"\r\n", b"\n")
