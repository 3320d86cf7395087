"""The pinned requirements that the function needs. The result is the same on every machine."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from packaging.markers import InvalidMarker, Marker

from infra.packaging.problem import PackagingError
from infra.packaging.target import MARKERS

_REMEDY = "`make pins` writes the file"


class Requirement(NamedTuple):
    """One exact version of one distribution."""

    pin: str
    """`name==version`"""
    hashes: tuple[str, ...]
    """The hash of each of its files, as `sha256:…`."""


def read_requirements(path: Path) -> list[Requirement]:
    """Return the requirements of a pinned file that apply on Lambda. Raises `PackagingError` when one is not pinned."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as problem:
        raise PackagingError(f"{path} cannot be read ({problem.strerror}); {_REMEDY}") from problem
    found = [wanted for line in _logical_lines(text) if (wanted := _for_lambda(line, path)) is not None]
    if not found:
        raise PackagingError(f"{path} has no requirements; {_REMEDY}")
    return found


def _logical_lines(text: str) -> list[str]:
    joined = text.replace("\\\r\n", " ").replace("\\\n", " ")
    lines = [" ".join(line.split()) for line in joined.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _for_lambda(line: str, path: Path) -> Requirement | None:
    requirement, *hashes = line.split(" --hash=")
    pin, _, marker = (part.strip() for part in requirement.partition(";"))
    name, exact, version = pin.partition("==")
    if not (name and exact and version) or set(pin) & set(" ,*<>!~@"):
        raise PackagingError(f"{path}: {pin!r} is not an exact version, name==version; {_REMEDY}")
    if not all(each.startswith("sha256:") for each in hashes) or not hashes:
        raise PackagingError(f"{path}: {pin} has no SHA-256 hash, and only known files are deployed; {_REMEDY}")
    try:
        needed = not marker or Marker(marker).evaluate(dict(MARKERS))
    except InvalidMarker:
        raise PackagingError(f"{path}: {marker!r} of {pin} is not a valid marker; {_REMEDY}") from None
    return Requirement(pin, tuple(hashes)) if needed else None
