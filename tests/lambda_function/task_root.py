"""The function's zip, unpacked as Lambda unpacks it, beside the packages that it is pinned to."""

from __future__ import annotations

import io
import shutil
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

from infra.packaging.archive import zipped
from infra.packaging.contents import START_SCRIPT, gateway_contents, place
from infra.packaging.requirements import read_requirements
from tests.support.processes import ROOT


def lay_out(folder: Path) -> Path:
    """The task root in `folder`, with the very files and modes of the zip; returns a folder for PATH.

    Its packages are not the zip's, which are for arm64, but this environment's of the same names, without what the zip
    leaves out, and no others: what the gateway needs and the zip lacks is missing here too.
    """
    unpack(io.BytesIO(zipped(gateway_contents(ROOT), executable=START_SCRIPT)), folder)
    for requirement in read_requirements(ROOT / "requirements-lambda.txt"):
        _link(requirement.pin.partition("==")[0], folder)
    return python_in(folder.parent / "bin", Path(sys.executable))


def unpack(packed: io.BytesIO | Path, folder: Path) -> None:
    """Every file of a zip with its mode."""
    with zipfile.ZipFile(packed) as archive:
        for info in archive.infolist():
            path = folder / info.filename
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.read(info))
            path.chmod(info.external_attr >> 16 & 0o777)


def python_in(folder: Path, interpreter: Path) -> Path:
    """A folder with that interpreter as the runtime's `python3`."""
    folder.mkdir(parents=True)
    (folder / "python3").symlink_to(interpreter.resolve())
    for tool in ("sh", "dirname"):
        (folder / tool).symlink_to(shutil.which(tool) or tool)
    return folder


def _link(name: str, folder: Path) -> None:
    found = distribution(name)
    for file in found.files or ():
        if ".." not in file.parts and (placed := place(str(file))) is not None:
            (folder / placed).parent.mkdir(parents=True, exist_ok=True)
            (folder / placed).symlink_to(Path(str(found.locate_file(file))))
