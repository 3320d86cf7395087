"""A cursor in a JSON text: its words, numbers and strings, with the messages and places of Rust's serde_json."""

from __future__ import annotations

import json
import math
import re
from typing import NoReturn

_SPACE = re.compile(rb"[ \n\t\r]*")
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_STRING = re.compile(rb'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*+"')
_HALF = re.compile("[\ud800-\udfff]")
_HEX = re.compile(rb"[0-9a-fA-F]{4}")
_SURROGATES = range(0xD800, 0xE000)
_TRAILING_SURROGATES = range(0xDC00, 0xE000)
KEY = "?"
"""A field in a path whose name was not read yet."""


class WrongBody(Exception):
    """A body that is not JSON (`syntax`), or is JSON of another shape than asked for. `str()` is the message."""

    def __init__(self, message: str, *, syntax: bool) -> None:
        super().__init__(message)
        self.syntax = syntax


class JsonText:
    """The cursor. A byte that cannot stand where it stands raises `WrongBody` with the path of fields to it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at: int = 0
        self._path: list[str | int] = []
        self._passing: bool = False
        """Whether a value is passed over: its strings are not decoded and its inside has no path."""

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
        if found is None:
            self._at += 1
            self._bad_digit()
        self._at = found.end()
        after = self._data[self._at : self._at + 1]
        fraction, exponent = found.groups()
        if after in (b"e", b"E") and exponent is None:
            self._at += 2 if self._data[self._at + 1 : self._at + 2] in (b"+", b"-") else 1
            self._bad_digit()
        if after == b"." and fraction is None and exponent is None:
            self._at += 1
            self._bad_peek("invalid number" if self._at < len(self._data) else "EOF while parsing a value")
        if after.isdigit():
            self._bad_peek("invalid number")
        text = found.group()
        if fraction is None and exponent is None and text != b"-0":
            value = int(text)
            if -(2**63) <= value < 2**64:
                return value
        number = float(text)
        if math.isinf(number) and not self._passing:
            self._bad("number out of range")
        return number

    def _bad_digit(self) -> NoReturn:
        """Another character, or none, where a digit has to be."""
        if self._at == len(self._data):
            self._bad("EOF while parsing a value")
        self._at += 1
        self._bad("invalid number")

    def _take_string(self) -> str:
        found = _STRING.match(self._data, self._at)
        if found is None:
            self._wrong_string()
        if self._passing:
            self._at = found.end()
            return ""
        try:
            text: str = json.loads(found.group())
        except UnicodeDecodeError:
            self._at = found.end()
            self._bad("invalid unicode code point")
        if b"\\u" in found.group() and _HALF.search(text):
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
                self._at -= self._passing
                self._bad("control character (\\u0000-\\u001F) found while parsing a string")

    def _escape(self) -> None:
        letter = self._byte()
        if letter not in b'"\\/bfnrtu':
            self._bad("invalid escape")
        if letter != ord("u"):
            return
        unit = self._four_digits()
        if self._passing:
            return
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
            cut = self._at + 4 > len(self._data)
            self._at = min(self._at + 4, len(self._data))
            self._bad("EOF while parsing a string" if cut else "invalid escape")
        self._at = found.end()
        return int(found.group(), 16)

    def _byte(self) -> int:
        if self._at >= len(self._data):
            self._bad("EOF while parsing a string")
        self._at += 1
        return self._data[self._at - 1]

    def _step_in(self, step: str | int) -> None:
        if not self._passing:
            self._path.append(step)

    def _step_out(self) -> None:
        if not self._passing:
            self._path.pop()

    def _wrong(self, message: str) -> NoReturn:
        self._raise(message, self._at, syntax=False)

    def _bad(self, message: str) -> NoReturn:
        self._raise(message, self._at, syntax=True)

    def _bad_peek(self, message: str) -> NoReturn:
        self._raise(message, min(self._at + 1, len(self._data)), syntax=True)

    def _raise(self, message: str, at: int, *, syntax: bool) -> NoReturn:
        line = self._data.count(b"\n", 0, at) + 1
        column = at - (self._data.rfind(b"\n", 0, at) + 1)
        known = self._path if self._path != [KEY] else []
        path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in known).removeprefix(".")
        place = f"{message} at line {line} column {column}"
        raise WrongBody(f"{path}: {place}" if path else place, syntax=syntax)


def described(value: float | bool | str | None) -> str:
    """A value that is neither sequence nor map, in serde's words."""
    match value:
        case None:
            return "null"
        case bool():
            return f"boolean `{json.dumps(value)}`"
        case int():
            return f"integer `{value}`"
        case float():
            shown = re.sub(r"e([+-]?)0*", lambda found: "e" + found[1].strip("+"), repr(value))
            return f"floating point `{shown}`"
        case str():
            return f"string {json.dumps(value, ensure_ascii=False)}"
