"""What goes into the zip: paths in it, and their bytes."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from infra.packaging.archive import Packed, packed_in, stored
from infra.packaging.problem import PackagingError

START_SCRIPT = "run.sh"
"""The function's handler: what the adapter's wrapper starts. It has to be executable, with LF at its lines' ends."""

Contents = dict[str, Packed]
"""Path in the zip, with slashes, to the file."""

_UNUSED_SUFFIXES = frozenset((".c", ".h", ".pxd", ".pxi", ".pyi", ".pyx", ".tmpl", ".typed"))
_UNUSED_FOLDERS = frozenset(("__pycache__", "bin", "tests", "test"))
_UNUSED_MODULES = re.compile(r"/_testcapi\.")
_METADATA = re.compile(r"^[^/]+\.dist-info/(METADATA|licenses/.*|LICEN[CS]E.*|NOTICE.*)$")
"""Of a distribution's own description, what asks for a version needs the first, and its licence wants to be kept."""


def gateway_contents(root: Path) -> Contents:
    """The modules of the gateway's package and its start script. Raises `PackagingError`.

    No bytecode: it would depend on the interpreter that makes it, of which another machine may have another or none.
    """
    package = root / "gateway_lambda"
    if not (package / "__main__.py").is_file():
        raise PackagingError(
            f"{package} holds no gateway, whose __main__.py the function runs; give the project's root"
        )
    modules = {path.relative_to(root): path for path in package.rglob("*.py") if path.is_file()}
    found = {
        name.as_posix(): stored(_text(path.read_bytes()))
        for name, path in modules.items()
        if not any(part.startswith(".") for part in name.parts)
    }
    found[START_SCRIPT] = stored(_text((Path(__file__).parent / START_SCRIPT).read_bytes()))
    return found


def wheel_contents(wheels: Iterable[Path]) -> Contents:
    """What the wheels install, without what nothing reads when the gateway runs. Raises `PackagingError`."""
    found: Contents = {}
    for wheel in wheels:
        for name, file in _installed(wheel):
            known = found.setdefault(name, file)
            if (known.crc, known.size) != (file.crc, file.size):
                raise PackagingError(f"two packages hold different files named {name}, one of them {wheel.name}")
    return found


def place(name: str) -> str | None:
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


def _installed(wheel: Path) -> Iterator[tuple[str, Packed]]:
    with wheel.open("rb") as file, zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            name = None if info.is_dir() else place(info.filename)
            if name is not None:
                yield name, packed_in(archive, file, info)


def _text(data: bytes) -> bytes:
    """With LF, whatever the checkout has."""
    return data.replace(b"\r\n", b"\n")
