"""A zip whose bytes depend only on its contents, not on the machine that packs it.

The output of deflate differs between versions of zlib, and so between machines. Files of wheels are therefore copied in
their compressed form, and other files are stored without compression.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from struct import pack, unpack_from
from typing import BinaryIO, NamedTuple

_LOCAL, _CENTRAL, _END = b"PK\3\4", b"PK\1\2", b"PK\5\6"
"""The first bytes of a zip's three kinds of record (APPNOTE.TXT 4.3)."""
_LOCAL_SIZE = 30
_VERSION = 20
"""The version of zip that unpacks it: the one with deflate."""
_MADE_ON_UNIX = 3 << 8
_UTF8 = 1 << 11
_OLDEST = 1 << 5 | 1
"""1 January 1980, the earliest date in a zip. The time is 0."""
_FILE, _EXECUTABLE = 0o100644, 0o100755


class Packed(NamedTuple):
    """A file as a zip stores it."""

    method: int
    crc: int
    size: int
    """The number of bytes when unpacked."""
    data: bytes


def stored(data: bytes) -> Packed:
    """Return a file without compression."""
    return Packed(zipfile.ZIP_STORED, zlib.crc32(data), len(data), data)


def packed_in(archive: zipfile.ZipFile, file: BinaryIO, info: zipfile.ZipInfo) -> Packed:
    """Return a file of another zip in its compressed form. `archive` reads from `file`."""
    if info.compress_type != zipfile.ZIP_DEFLATED:
        return stored(archive.read(info))
    file.seek(info.header_offset)
    name, extra = unpack_from("<2H", file.read(_LOCAL_SIZE), 26)
    file.seek(name + extra, 1)
    return Packed(zipfile.ZIP_DEFLATED, info.CRC, info.file_size, file.read(info.compress_size))


def zipped(contents: Mapping[str, Packed], *, executable: str) -> bytes:
    """Return a zip of `contents`, ordered by name, all with the same date, and one of them executable.

    Pulumi's own zips, made from a folder or a list of files, have no modes, so the file would not be executable.
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
