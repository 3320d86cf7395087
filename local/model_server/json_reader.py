"""JSON read field by field with the rules, the order and the messages of TGI's reader (Rust's serde_json in axum).

A wrong body is told of by its first problem in reading order, with the path to it and its place in the text:
`parameters.max_new_tokens: invalid value: integer `-1`, expected u32 at line 1 column 47`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

_SPACE = re.compile(rb"[ \n\t\r]*")
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_STRING = re.compile(rb'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*+"')
_HEX = re.compile(rb"[0-9a-fA-F]{4}")
_DEPTH = 128
"""Nested arrays and objects that are read."""
_SURROGATES = range(0xD800, 0xE000)
_TRAILING_SURROGATES = range(0xDC00, 0xE000)


class WrongBody(Exception):
    """A body that is no JSON (`syntax`), or is JSON of another shape than asked for. `str()` is the message."""

    def __init__(self, message: str, *, syntax: bool) -> None:
        super().__init__(message)
        self.syntax = syntax


T = TypeVar("T")
Read = Callable[["JsonReader"], T]


class JsonReader:
    """A cursor in a body. Each method reads one value of one type, or raises `WrongBody`."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._path: list[str | int] = []
        self._depth = _DEPTH

    def string(self, expected: str = "a string") -> str:
        if self._peek() != b'"':
            self._mismatch(expected)
        return self._take_string()

    def boolean(self) -> bool:
        first = self._peek()
        if first == b"t":
            self._word(b"true")
            return True
        if first == b"f":
            self._word(b"false")
            return False
        self._mismatch("a boolean")

    def integer(self, kind: str, smallest: int, largest: int) -> int:
        """A whole number within the bounds of `kind`, written without a decimal point."""
        if self._peek() not in _NUMERIC:
            self._mismatch(kind)
        value = self._take_number()
        if isinstance(value, float):
            self._wrong(f"invalid type: floating point `{_show(value)}`, expected {kind}")
        if not smallest <= value <= largest:
            self._wrong(f"invalid value: integer `{value}`, expected {kind}")
        return value

    def number(self, kind: str) -> float:
        if self._peek() not in _NUMERIC:
            self._mismatch(kind)
        return float(self._take_number())

    def optional(self, read: Read[T]) -> T | None:
        """`null`, or what `read` reads."""
        if self._peek() == b"n":
            self._word(b"null")
            return None
        return read(self)

    def array(self, read: Read[T]) -> list[T]:
        if self._peek() != b"[":
            self._mismatch("a sequence")
        self._enter()
        values: list[T] = []
        while self._next_element(first=not values):
            values.append(self._within(len(values), read))
        self._leave()
        return values

    def struct(self, name: str, fields: Mapping[str, Read[Any]], *, required: tuple[str, ...] = ()) -> dict[str, Any]:
        """An object whose known fields are read and whose unknown ones are passed over, as in TGI, or an array of the
        fields in order; the values that were given, by name."""
        first = self._peek()
        if first == b"[":
            return self._struct_in_order(name, fields, required)
        if first != b"{":
            self._mismatch(name)
        self._enter()
        values: dict[str, Any] = {}
        beginning = True
        while self._next_key(first=beginning):
            beginning = False
            field = self._take_string()
            if field in values:
                self._wrong(f"duplicate field `{field}`")
            self._colon()
            value = self._within(field, fields.get(field, JsonReader.anything))
            if field in fields:
                values[field] = value
        self._leave()
        for field in required:
            if field not in values:
                self._wrong(f"missing field `{field}`")
        return values

    def anything(self) -> Any:
        """A value of any type."""
        first = self._peek()
        if first == b'"':
            return self._take_string()
        if first in _NUMERIC:
            return self._take_number()
        if first == b"n":
            return self._word(b"null")
        if first in (b"t", b"f"):
            return self.boolean()
        if first == b"[":
            return self.array(JsonReader.anything)
        if first == b"{":
            return self._object()
        self._bad_peek("expected value")

    def wrong(self, message: str, *path: str) -> NoReturn:
        """Refuse what was just read, `path` below the current one."""
        self._path.extend(path)
        self._wrong(message)

    def _struct_in_order(self, name: str, fields: Mapping[str, Read[Any]], required: tuple[str, ...]) -> dict[str, Any]:
        self._enter()
        values: dict[str, Any] = {}
        for place, (field, read) in enumerate(fields.items()):
            if not self._next_element(first=not values):
                break
            values[field] = self._within(place, read)
        else:
            if self._next_element(first=not values):
                self._bad_peek("trailing characters")
        self._leave()
        if any(field not in values for field in required):
            self._wrong(f"invalid length {len(values)}, expected {name} with {len(fields)} elements")
        return values

    def _object(self) -> dict[str, Any]:
        self._enter()
        values: dict[str, Any] = {}
        beginning = True
        while self._next_key(first=beginning):
            beginning = False
            key = self._take_string()
            self._colon()
            values[key] = self._within(key, JsonReader.anything)
        self._leave()
        return values

    def _within(self, step: str | int, read: Read[T]) -> T:
        self._path.append(step)
        value = read(self)
        self._path.pop()
        return value

    def _enter(self) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._bad_peek("recursion limit exceeded")
        self._at += 1

    def _leave(self) -> None:
        self._depth += 1
        self._at += 1

    def _next_element(self, *, first: bool) -> bool:
        peeked = self._peek(end="a list")
        if peeked == b"]":
            return False
        if first:
            return True
        if peeked != b",":
            self._bad_peek("expected `,` or `]`")
        self._at += 1
        if self._peek() == b"]":
            self._bad_peek("trailing comma")
        return True

    def _next_key(self, *, first: bool) -> bool:
        peeked = self._peek(end="an object")
        if peeked == b"}":
            return False
        if not first:
            if peeked != b",":
                self._bad_peek("expected `,` or `}`")
            self._at += 1
            peeked = self._peek()
            if peeked == b"}":
                self._bad_peek("trailing comma")
        if peeked != b'"':
            self._bad_peek("key must be a string")
        return True

    def _colon(self) -> None:
        if self._peek(end="an object") != b":":
            self._bad_peek("expected `:`")
        self._at += 1

    def _peek(self, *, end: str = "a value") -> bytes:
        found = _SPACE.match(self._data, self._at)
        self._at = found.end() if found else self._at
        if self._at == len(self._data):
            self._bad_peek(f"EOF while parsing {end}")
        return self._data[self._at : self._at + 1]

    def _word(self, word: bytes) -> None:
        for letter in word:
            if self._at == len(self._data):
                self._bad("EOF while parsing a value")
            self._at += 1
            if self._data[self._at - 1] != letter:
                self._bad("expected ident")

    def _take_number(self) -> int | float:
        found = _NUMBER.match(self._data, self._at)
        after = self._data[found.end() : found.end() + 1] if found else b""
        if found is None or after.isdigit() or after in (b".", b"e", b"E"):
            self._at = found.end() if found else self._at + 1
            self._bad_peek("invalid number" if self._at < len(self._data) else "EOF while parsing a value")
        self._at = found.end()
        text = found.group()
        if not any(found.groups()) and text != b"-0":
            value = int(text)
            if -(2**63) <= value < 2**64:
                return value
        number = float(text)
        if number in (float("inf"), float("-inf")):
            self._bad("number out of range")
        return number

    def _take_string(self) -> str:
        found = _STRING.match(self._data, self._at)
        if found is None:
            self._wrong_string()
        try:
            text: str = json.loads(found.group())
        except UnicodeDecodeError:
            self._at = found.end()
            self._bad("invalid unicode code point")
        if any(ord(letter) in _SURROGATES for letter in text if letter > "\ud7ff"):
            self._wrong_string()
        self._at = found.end()
        return text

    def _wrong_string(self) -> NoReturn:
        """Find what is wrong with the string at the cursor."""
        self._at += 1
        while True:
            if self._at >= len(self._data):
                self._bad("EOF while parsing a string")
            letter = self._data[self._at]
            self._at += 1
            if letter == ord("\\"):
                self._escape()
            elif letter < 0x20:
                self._bad("control character (\\u0000-\\u001F) found while parsing a string")

    def _escape(self) -> None:
        letter = self._byte()
        if letter not in b'"\\/bfnrtu':
            self._bad("invalid escape")
        if letter != ord("u"):
            return
        unit = self._four_digits()
        if unit in _TRAILING_SURROGATES:
            self._bad("lone leading surrogate in hex escape")
        if unit in _SURROGATES:
            if self._byte() != ord("\\") or self._byte() != ord("u"):
                self._bad("unexpected end of hex escape")
            if self._four_digits() not in _TRAILING_SURROGATES:
                self._bad("lone leading surrogate in hex escape")

    def _four_digits(self) -> int:
        found = _HEX.match(self._data, self._at)
        if found is None:
            self._at = min(self._at + 4, len(self._data))
            self._bad("invalid escape" if self._at < len(self._data) else "EOF while parsing a string")
        self._at = found.end()
        return int(found.group(), 16)

    def _byte(self) -> int:
        if self._at >= len(self._data):
            self._bad("EOF while parsing a string")
        self._at += 1
        return self._data[self._at - 1]

    def _mismatch(self, expected: str) -> NoReturn:
        """Refuse the value at the cursor, which is of another type."""
        first = self._peek()
        if first == b"[":
            found = "sequence"
        elif first == b"{":
            found = "map"
        else:
            value = self.anything()
            found = (
                "null" if value is None
                else f"boolean `{json.dumps(value)}`" if isinstance(value, bool)
                else f"integer `{value}`" if isinstance(value, int)
                else f"floating point `{_show(value)}`" if isinstance(value, float)
                else f"string {json.dumps(value, ensure_ascii=False)}"
            )  # fmt: skip
        self._wrong(f"invalid type: {found}, expected {expected}")

    def _wrong(self, message: str) -> NoReturn:
        self._raise(message, self._at, syntax=False)

    def _bad(self, message: str) -> NoReturn:
        self._raise(message, self._at, syntax=True)

    def _bad_peek(self, message: str) -> NoReturn:
        self._raise(message, min(self._at + 1, len(self._data)), syntax=True)

    def _raise(self, message: str, at: int, *, syntax: bool) -> NoReturn:
        line = self._data.count(b"\n", 0, at) + 1
        column = at - (self._data.rfind(b"\n", 0, at) + 1)
        path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self._path).removeprefix(".")
        place = f"{message} at line {line} column {column}"
        raise WrongBody(f"{path}: {place}" if path else place, syntax=syntax)


_NUMERIC = frozenset(bytes([byte]) for byte in b"-0123456789")


def _show(number: float) -> str:
    return re.sub(r"e([+-]?)0*", lambda found: "e" + found[1].strip("+"), repr(number))
