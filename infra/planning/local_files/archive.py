"""A tar archive whose bytes depend only on the files in it: not on their times and owners, nor on the machine.

It is not compressed, because the output of a compressor differs between its versions.
"""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from pathlib import Path

LARGEST_ARCHIVE = 2 * 2**20
"""The most bytes of an archive, as in dstack (server/settings.py, `SERVER_CODE_UPLOAD_LIMIT`)."""
MOST_MEMBERS = LARGEST_ARCHIVE // tarfile.BLOCKSIZE
"""Each member has a header of one block."""
_TIME = 315_532_800
"""1 January 1980 in UTC: programs that make zips refuse earlier dates."""
_FILE, _EXECUTABLE, _PRIVATE = 0o644, 0o755, 0o600


class CannotPack(Exception):
    """A file or a folder that cannot travel. `str()` says why."""

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(why)
        self.remedy = remedy


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A tar archive in memory."""

    data: bytes = field(repr=False)
    sha256: str
    """Of `data`, in hex."""
    files: int
    """How many files and links it has."""

    @property
    def size(self) -> int:
        """Its bytes."""
        return len(self.data)


def packed(members: Iterable[tuple[str, Path]], root: Path, *, private: bool = False) -> Archive:
    """Return the archive of these members: (name in the archive, path of a file, folder or link).

    A link to a place below `root` stays a link. Of another link, the archive has the file that it leads to.

    Args:
        private: whether a file that only its owner can read stays so. Else every file is readable, as git has it.

    Raises:
        CannotPack: a member is neither a file nor a folder nor a link, or cannot be read, or all are too large.
    """
    found = sorted(islice(members, MOST_MEMBERS + 1), key=lambda member: os.fsencode(member[0]))
    _check_size(found)
    buffer = io.BytesIO()
    count = 0
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT, encoding="utf-8") as tar:
        for name, path in found:
            info, data = _member(name, path, root, private=private)
            tar.addfile(info, None if data is None else io.BytesIO(data))
            count += not info.isdir()
    return _archive(buffer.getvalue(), count)


def with_files(archive: Archive, extra: Mapping[str, bytes]) -> Archive:
    """Return the archive with `extra` files before its own, by name."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT, encoding="utf-8") as tar:
        for name, data in extra.items():
            info = _info(name, tarfile.REGTYPE, _FILE)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        with tarfile.open(fileobj=io.BytesIO(archive.data), encoding="utf-8") as given:
            for member in given:
                tar.addfile(member, given.extractfile(member) if member.isreg() else None)
    return _archive(buffer.getvalue(), archive.files)


def _archive(data: bytes, count: int) -> Archive:
    if len(data) > LARGEST_ARCHIVE:
        raise CannotPack(*_too_large(f"{len(data):,} bytes, with the headers of {count} files"))
    return Archive(data=data, sha256=sha256(data).hexdigest(), files=count)


def _check_size(members: Sequence[tuple[str, Path]]) -> None:
    """Before anything is read, because a folder can have many gigabytes. Raises CannotPack."""
    sizes = sorted(((path.lstat().st_size, path) for _, path in members if _is_file(path)), reverse=True)
    total = sum(size for size, _ in sizes)
    if total > LARGEST_ARCHIVE or len(members) > MOST_MEMBERS:
        many = f"more than {MOST_MEMBERS:,} files and folders" if len(members) > MOST_MEMBERS else f"{total:,} bytes"
        largest = ", ".join(f"{path} ({size:,})" for size, path in sizes[:3])
        raise CannotPack(*_too_large(f"{many}, the largest: {largest}"))


def _is_file(path: Path) -> bool:
    return stat.S_ISREG(path.lstat().st_mode)


def _too_large(found: str) -> tuple[str, str]:
    return (
        f"an archive has at most {LARGEST_ARCHIVE:,} bytes, as in dstack, and these are {found}",
        "leave out what replicas do not need, with .gitignore or .dstackignore, or let commands download it",
    )


def _member(name: str, path: Path, root: Path, *, private: bool) -> tuple[tarfile.TarInfo, bytes | None]:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        target = os.path.normpath(path.parent / os.readlink(path))
        if Path(target).is_relative_to(root):
            info = _info(name, tarfile.SYMTYPE, 0o777)
            info.linkname = os.path.relpath(target, path.parent)
            return info, None
        path, mode = _outside(path)
    if stat.S_ISDIR(mode):
        return _info(name, tarfile.DIRTYPE, _EXECUTABLE), None
    if not stat.S_ISREG(mode):
        raise CannotPack(
            f"{path} is neither a file nor a folder nor a link", "remove it, or leave it out by .gitignore"
        )
    kept_private = private and not mode & 0o077
    info = _info(name, tarfile.REGTYPE, _EXECUTABLE if mode & 0o100 else _PRIVATE if kept_private else _FILE)
    data = path.read_bytes()
    info.size = len(data)
    return info, data


def _outside(link: Path) -> tuple[Path, int]:
    """The file that a link to a place outside of the folder leads to, as in dstack, and its mode."""
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):
        raise CannotPack(f"the link {link} leads nowhere", "remove it, or leave it out by .gitignore") from None
    if target.is_dir():
        why = f"the link {link} leads to a folder outside: {target}"
        raise CannotPack(why, "name that folder in files too, and leave the link out by .gitignore")
    return target, target.stat().st_mode


def _info(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.mtime = kind, mode, _TIME
    return info
