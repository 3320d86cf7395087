"""A zip whose bytes depend on nothing but its contents."""

from __future__ import annotations

import zipfile
from typing import BinaryIO

from infra.packaging.contents import START_SCRIPT, Contents

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold."""
_UNIX = 3
_FILE, _EXECUTABLE = 0o100644, 0o100755


def write_archive(contents: Contents, file: BinaryIO) -> None:
    """Write `contents` in order of name, all of one age; the start script is executable.

    A folder or a list of files given to Pulumi would lose that bit: its own zips hold no modes.
    """
    with zipfile.ZipFile(file, "w") as archive:
        for name in sorted(contents):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system = _UNIX
            info.external_attr = (_EXECUTABLE if name == START_SCRIPT else _FILE) << 16
            archive.writestr(info, contents[name], zipfile.ZIP_DEFLATED, 9)
