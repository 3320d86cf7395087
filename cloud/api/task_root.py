"""A function's zip, unpacked as Lambda unpacks it.

The packages in it are for Lambda's machine. In their place are those of this environment, which have the same versions.
"""

from __future__ import annotations

import io
import shutil
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from infra.packaging.contents import place

_TOOLS = ("sh", "dirname")
"""What start scripts of functions use."""


class WrongPackages(Exception):
    """This environment does not have the versions that a function is pinned to. The message names them, and the
    remedy."""


def lay_out(code: bytes, folder: Path) -> None:
    """Unpack a function's zip into a new folder. Raises `WrongPackages`."""
    packed = io.BytesIO(code)
    replaced = list(_replaced(packed))
    unpack(packed, folder)
    for package in replaced:
        for top in {name.split("/")[0] for name, _ in _files(package)}:
            path = folder / top
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        link(package, folder)


def unpack(packed: io.BytesIO | Path, folder: Path) -> None:
    """Write every file of a zip with its mode."""
    with zipfile.ZipFile(packed) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            path = folder / info.filename
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.read(info))
            path.chmod(info.external_attr >> 16 & 0o777 or 0o644)


def link(package: Distribution, folder: Path) -> None:
    """Link the files of a package into the folder, without those that a function's zip leaves out."""
    for placed, file in _files(package):
        path = folder / placed
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(file)


def python_in(folder: Path, interpreter: Path = Path(sys.executable)) -> Path:
    """Make a folder for PATH with this Python, without its packages, as the runtime's `python3`."""
    folder.mkdir(parents=True)
    (folder / "python3").symlink_to(interpreter.resolve())
    for tool in _TOOLS:
        (folder / tool).symlink_to(shutil.which(tool) or tool)
    return folder


def _replaced(packed: io.BytesIO) -> Iterator[Distribution]:
    with zipfile.ZipFile(packed) as archive:
        described = [name.split("/")[0] for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    for folder in described:
        name, _, version = folder.removesuffix(".dist-info").partition("-")
        try:
            found = distribution(name)
        except PackageNotFoundError:
            raise WrongPackages(
                f"the function's zip has {name} {version}, and this environment has no {name}; run `make setup`"
            ) from None
        if found.version != version:
            raise WrongPackages(
                f"the function's zip has {name} {version}, and this environment {found.version}; run `make setup`, "
                "and deploy the gateway again"
            )
        yield found


def _files(package: Distribution) -> Iterator[tuple[str, Path]]:
    for file in package.files or ():
        if ".." not in file.parts and (placed := place(str(file))) is not None:
            yield placed, Path(str(package.locate_file(file)))
