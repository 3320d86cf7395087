"""The contents of the zip: paths, and their bytes."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from infra.packaging.archive import Packed, packed_in, stored
from infra.packaging.problem import PackagingError

START_SCRIPT = "run.sh"
"""The function's handler, which the adapter's wrapper starts. It must be executable, and its lines must end with LF."""

Contents = dict[str, Packed]
"""From a path in the zip, with slashes, to the file."""

_OURS = frozenset((".py", ".html", ".css", ".js"))
"""What the gateway's package consists of."""
LEFT_OUT = frozenset(("gateway_lambda/monitoring/prometheus_text.py",))
"""Of it, what a function does not use: it has no `/metrics`, and not the package for that."""
_UNUSED_SUFFIXES = frozenset((".c", ".h", ".pxd", ".pxi", ".pyi", ".pyx", ".tmpl", ".typed"))
_UNUSED_FOLDERS = frozenset(("__pycache__", "bin", "tests", "test"))
_UNUSED_MODULES = re.compile(r"/_testcapi\.")
_METADATA = re.compile(r"^[^/]+\.dist-info/(METADATA|licenses/.*|LICEN[CS]E.*|NOTICE.*)$")
"""The files of a distribution's description that are kept: METADATA for code that asks for a version, and licences."""


def gateway_contents(root: Path) -> Contents:
    """Return the gateway's modules, the files of its page, and its start script. Raises `PackagingError`.

    They contain no bytecode, because it depends on the interpreter, and another machine can have another one.
    """
    package = root / "gateway_lambda"
    if not (package / "__main__.py").is_file():
        raise PackagingError(
            f"{package} has no __main__.py, which the function runs; give the root folder of the project"
        )
    modules = {path.relative_to(root): path for path in package.rglob("*") if path.suffix in _OURS and path.is_file()}
    found = {
        name.as_posix(): stored(_text(path.read_bytes()))
        for name, path in modules.items()
        if name.as_posix() not in LEFT_OUT and not any(part.startswith(".") for part in name.parts)
    }
    found[START_SCRIPT] = stored(_text((Path(__file__).parent / START_SCRIPT).read_bytes()))
    return found


def wheel_contents(wheels: Iterable[Path]) -> Contents:
    """Return the files that the wheels install, without those that the gateway never reads. Raises `PackagingError`."""
    found: Contents = {}
    for wheel in wheels:
        for name, file in _installed(wheel):
            known = found.setdefault(name, file)
            if (known.crc, known.size) != (file.crc, file.size):
                raise PackagingError(
                    f"two packages have different files named {name}, and one of them is {wheel.name}; remove or "
                    "replace one of the packages in pyproject.toml, then run `make pins`"
                )
    return found


def place(name: str) -> str | None:
    """Return the path at which a file of a wheel is installed; `None`: it is left out. Files in `*.data` are in a
    folder of their scheme."""
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
    """Return the text with LF at the ends of lines, even if the checkout has CR LF."""
    return data.replace(b"\r\n", b"\n")
