"""Which of the pinned requirements the function needs, whatever machine asks."""

from __future__ import annotations

from pathlib import Path

from packaging.markers import Marker

from infra.packaging.problem import PackagingError
from infra.packaging.target import MARKERS

_REMEDY = "`make pins` writes the file"


def read_requirements(path: Path) -> list[str]:
    """The requirements of a pinned file that hold on Lambda, each `name==version --hash=…`, without its marker.

    Raises `PackagingError` where one has no hash or no exact version.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as problem:
        raise PackagingError(f"{path} cannot be read ({problem.strerror}); {_REMEDY}") from problem
    found = [line for logical in _logical_lines(text) if (line := _for_lambda(logical, path)) is not None]
    if not found:
        raise PackagingError(f"{path} holds no requirement; {_REMEDY}")
    return found


def _logical_lines(text: str) -> list[str]:
    joined = text.replace("\\\r\n", " ").replace("\\\n", " ")
    lines = [" ".join(line.split()) for line in joined.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _for_lambda(line: str, path: Path) -> str | None:
    requirement, *hashes = line.split(" --hash=")
    pin, _, marker = (part.strip() for part in requirement.partition(";"))
    name, exact, version = pin.partition("==")
    if not (name and exact and version):
        raise PackagingError(f"{path}: {pin!r} is no exact version, want name==version; {_REMEDY}")
    if not hashes:
        raise PackagingError(f"{path}: {pin} has no hash, and the function holds only what is known; {_REMEDY}")
    if marker and not Marker(marker).evaluate(dict(MARKERS)):
        return None
    return " ".join([pin, *(f"--hash={each}" for each in hashes)])
