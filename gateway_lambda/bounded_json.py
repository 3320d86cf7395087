"""Decoding JSON that others wrote, with a limit on its size in memory.

The size of a text does not say what it costs: `{},` is three bytes, and 70 once it is decoded. So the values are
counted before the first one is made, and the nesting is checked before anything walks through it. What this module
gives is small enough for any work that is linear in its values, and flat enough for any recursion.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

MAX_VALUES: Final = 100_000
"""Values at any depth. They take 25 MB at most, beside their text. A long chat of an agent has a tenth of them."""
MAX_LEVELS: Final = 200
"""Levels of lists and objects. A schema of 64 levels takes three of these for each."""

_DEAR = 10
"""A number with an exponent counts as so many values: it takes up to 10 µs to read, where another value takes 1."""
_STRING_OR_MARK = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+["\\]?|[,\[{]|[0-9][eE]', re.DOTALL)
_HALF_OF_A_PAIR = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F]|\\?\Z)")
_NEAR_THE_END = 18
"""Bytes in which the decoder looks for the other half."""
_MARK = b"\xef\xbb\xbf"
"""The mark that editors and shells of Windows write before a text. A reader can ignore it (RFC 8259 §8.1)."""
_QUOTE = ord('"')
_DIGITS = b"0123456789"


class JsonRefused(ValueError):
    """The text is not JSON, or it is too large. The message says which."""


class TooMuchJson(JsonRefused):
    """It has too many values or too many levels."""


def decode_bounded(text: bytes) -> Any:
    """The value that `text` is. Raises `JsonRefused`."""
    openers = text.count(b"{") + text.count(b"[")
    if (1 + openers + text.count(b",")) * _DEAR > MAX_VALUES:
        count_values(text)
    return _decode(text, openers)


class ValueBudget:
    """For several texts that may have `MAX_VALUES` together."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MAX_VALUES

    def decode(self, text: bytes) -> Any:
        """The value that `text` is. Raises `JsonRefused`, and `TooMuchJson` once the budget is spent."""
        self._left -= count_values(text, self._left)
        return _decode(text, text.count(b"{") + text.count(b"["))


def count_values(text: bytes, most: int = MAX_VALUES) -> int:
    """How many values `text` holds, an empty list or object counted twice. Raises `TooMuchJson` above `most`."""
    values = 1
    strings = 0
    for found in _STRING_OR_MARK.finditer(text):
        first = text[found.start()]
        if first == _QUOTE:
            strings += 1
        else:
            values += _DEAR if first in _DIGITS else 1
        if values > most or strings > 2 * most:
            raise TooMuchJson(f"more than {MAX_VALUES} values; send less")
    return values


def _decode(text: bytes, openers: int) -> Any:
    text = text.removeprefix(_MARK)
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise JsonRefused(_reason(text, str(problem))) from None
    if openers > MAX_LEVELS and _is_deeper(found, MAX_LEVELS):
        raise TooMuchJson(f"more than {MAX_LEVELS} levels of lists and objects; use fewer")
    return found


def _reason(text: bytes, said: str) -> str:
    """What is wrong with the text. Of three faults the decoder says something else, or the wrong place."""
    if not text.strip():
        return "it is empty"
    try:
        text.decode()
    except UnicodeDecodeError as wrong:
        return f"byte {wrong.start} is not UTF-8; send UTF-8"
    if "surrogate" in said or ("truncated" in said and _HALF_OF_A_PAIR.search(text[-_NEAR_THE_END:])):
        return "a string has half of a surrogate pair, which is not text; cut texts only between characters"
    return said


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether `value` has more than so many containers in one another. Goes level by level, without recursion."""
    found: list[Any] = [value]
    for _ in range(levels):
        inner: list[Any] = []
        for each in found:
            kind = type(each)  # pyright: ignore[reportUnknownVariableType]
            if kind is dict:
                inner += each.values()
            elif kind is list:
                inner += each
        found = inner
    return any(type(each) is dict or type(each) is list for each in found)
