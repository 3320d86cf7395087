"""What a GGUF file says of its model: the key-value pairs at its beginning.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Little-endian; versions 2 and 3 are alike here.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""Value type -> its struct code."""
_STRING = 8
_ARRAY = 9

Value = str | int | float | bool | list["Value"]


def read_metadata(path: Path, keys: Collection[str]) -> dict[str, Value]:
    """The values of those of `keys` that the file has.

    Raises:
        ValueError: the file is no GGUF, or is cut short.
    """
    found: dict[str, Value] = {}
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise ValueError(f"{path} is no GGUF file: it does not begin with GGUF")
        (_, _, pairs) = _unpack(file, "IQQ")
        for _ in range(int(pairs)):
            key = _string(file)
            value = _value(file, int(_unpack(file, "I")[0]))
            if key in keys:
                found[key] = value
            if len(found) == len(keys):
                break
    return found


def _value(file: BinaryIO, kind: int) -> Value:
    if kind in _NUMBERS:
        return _unpack(file, _NUMBERS[kind])[0]
    if kind == _STRING:
        return _string(file)
    if kind != _ARRAY:
        raise ValueError(f"a GGUF value of type {kind}, and the types are 0 to 12")
    (inner, length) = (int(number) for number in _unpack(file, "IQ"))
    if inner in _NUMBERS:
        return list(_unpack(file, f"{length}{_NUMBERS[inner]}"))
    return [_value(file, inner) for _ in range(length)]


def _string(file: BinaryIO) -> str:
    (length,) = _unpack(file, "Q")
    data = file.read(int(length))
    if len(data) != length:
        raise ValueError("a GGUF file that ends in the middle of a text")
    return data.decode("utf-8", errors="replace")


def _unpack(file: BinaryIO, code: str) -> tuple[int | float | bool, ...]:
    size = struct.calcsize(f"<{code}")
    data = file.read(size)
    if len(data) != size:
        raise ValueError("a GGUF file that ends in the middle of a value")
    return struct.unpack(f"<{code}", data)
