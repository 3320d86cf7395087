"""A zip whose bytes depend on nothing but its contents, not even on who packs it.

What deflate makes of the same data differs between versions of zlib, and so between machines. Files out of wheels are
therefore taken as they lie there, packed, and what else there is goes in as it is.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from struct import pack, unpack_from
from typing import BinaryIO, NamedTuple

_LOCAL, _CENTRAL, _END = b"PK\3\4", b"PK\1\2", b"PK\5\6"
"""How a zip's three kinds of record begin (APPNOTE.TXT 4.3)."""
_LOCAL_SIZE = 30
_VERSION = 20
"""What it takes to unpack it: deflate."""
_MADE_ON_UNIX = 3 << 8
_UTF8 = 1 << 11
_OLDEST = 1 << 5 | 1
"""The first of January 1980, the earliest date that a zip can hold; the time is 0."""
_FILE, _EXECUTABLE = 0o100644, 0o100755


class Packed(NamedTuple):
    """A file as it lies in a zip."""

    method: int
    crc: int
    size: int
    """Bytes when unpacked."""
    data: bytes


def stored(data: bytes) -> Packed:
    """A file that is not compressed."""
    return Packed(zipfile.ZIP_STORED, zlib.crc32(data), len(data), data)


def packed_in(archive: zipfile.ZipFile, file: BinaryIO, info: zipfile.ZipInfo) -> Packed:
    """A file of another zip, as it lies there; `file` is what `archive` reads from."""
    if info.compress_type != zipfile.ZIP_DEFLATED:
        return stored(archive.read(info))
    file.seek(info.header_offset)
    name, extra = unpack_from("<2H", file.read(_LOCAL_SIZE), 26)
    file.seek(name + extra, 1)
    return Packed(zipfile.ZIP_DEFLATED, info.CRC, info.file_size, file.read(info.compress_size))


def zipped(contents: Mapping[str, Packed], *, executable: str) -> bytes:
    """A zip of `contents` in order of name, all of one age, one of them executable.

    A folder or a list of files given to Pulumi would lose that bit: its own zips hold no modes.
    """
    files: list[bytes] = []
    directory: list[bytes] = []
    offset = 0
    for name, file in sorted(contents.items()):
        path = name.encode()
        sizes = (file.crc, len(file.data), file.size, len(path), 0)
        common = pack("<5H3I2H", _VERSION, _UTF8, file.method, 0, _OLDEST, *sizes)
        mode = _EXECUTABLE if name == executable else _FILE
        files += [_LOCAL + common + path, file.data]
        directory.append(
            _CENTRAL + pack("<H", _MADE_ON_UNIX | _VERSION) + common + pack("<3H2I", 0, 0, 0, mode << 16, offset) + path
        )
        offset += _LOCAL_SIZE + len(path) + len(file.data)
    listed = b"".join(directory)
    end = _END + pack("<4H2IH", 0, 0, len(directory), len(directory), len(listed), offset, 0)
    return b"".join([*files, listed, end])
