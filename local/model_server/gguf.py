"""The header of a GGUF file: what it says about a model. The model is not loaded for this."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

MAGIC = b"GGUF"
VERSIONS = (2, 3)

_STRING, _ARRAY = 8, 9
_SCALARS: Mapping[int, str] = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip
"""struct formats by GGUF's number of the type; little-endian, as every GGUF of version 2 and 3 on such a machine."""


class NotGguf(Exception):
    """The file is not a readable GGUF. `str()` says why."""


def read_header(path: Path) -> dict[str, Any]:
    """Return the metadata of a GGUF file by key: numbers, booleans, strings (wrong bytes are replaced) and lists of
    them.

    Raises:
        NotGguf: another format or version, or cut off within the header.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:4] != MAGIC:
            raise NotGguf(f"{path}: starts with {data[:4]!r}, and a GGUF file with {MAGIC!r}")
        try:
            return _read(data, path)
        except (struct.error, KeyError) as error:
            raise NotGguf(f"{path}: the header ends too early or holds a type that GGUF does not have") from error


def _read(data: mmap.mmap, path: Path) -> dict[str, Any]:
    version, _tensors, count = struct.unpack_from("<IQQ", data, 4)
    if version not in VERSIONS:
        raise NotGguf(f"{path}: GGUF version {version}; this reads versions 2 and 3")
    position = 24
    header: dict[str, Any] = {}
    for _ in range(count):
        key, position = _string(data, position)
        (kind,) = struct.unpack_from("<I", data, position)
        header[key], position = _value(data, position + 4, kind)
    return header


def _value(data: mmap.mmap, position: int, kind: int) -> tuple[Any, int]:
    if kind == _STRING:
        return _string(data, position)
    if kind == _ARRAY:
        inner, count = struct.unpack_from("<IQ", data, position)
        return _array(data, position + 12, inner, count)
    layout = _SCALARS[kind]
    return struct.unpack_from(layout, data, position)[0], position + struct.calcsize(layout)


def _array(data: mmap.mmap, position: int, kind: int, count: int) -> tuple[list[Any], int]:
    if kind in _SCALARS:
        layout = f"<{count}{_SCALARS[kind][1]}"
        return list(struct.unpack_from(layout, data, position)), position + struct.calcsize(layout)
    read: Callable[[mmap.mmap, int], tuple[Any, int]] = (
        _string if kind == _STRING else lambda data, at: _value(data, at, kind)
    )
    values: list[Any] = []
    for _ in range(count):
        value, position = read(data, position)
        values.append(value)
    return values, position


def _string(data: mmap.mmap, position: int) -> tuple[str, int]:
    (length,) = struct.unpack_from("<Q", data, position)
    end = position + 8 + length
    return data[position + 8 : end].decode(errors="replace"), end
