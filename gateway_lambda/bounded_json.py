"""Decoding JSON that others wrote, with a bound on what it may become in memory.

Bytes do not say what JSON costs: `{},` is three of them and 70 once decoded. So values are counted before the first one
is made, and nesting is looked at before anything walks through it. What comes from here is small enough for any work
that is linear in its values, and flat enough for any that recurs.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Any, Final

import msgspec

MAX_VALUES: Final = 100_000
"""Values, however deep. They take 25 MB at most, beside their text. The longest agents' chats have a tenth of it."""
MAX_LEVELS: Final = 200
"""Lists and objects in one another. A schema of 64 levels takes three of these for each."""

_STRING_OR_MARK = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+["\\]?|[,\[{]', re.DOTALL)
_QUOTE = ord('"')


class JsonRefused(ValueError):
    """The text is no JSON, or more of it than is taken; the message says which."""


class TooMuchJson(JsonRefused):
    """It has too many values or too many levels."""


def decode_bounded(text: bytes) -> Any:
    """The value that `text` is. Raises `JsonRefused`."""
    openers = text.count(b"{") + text.count(b"[")
    check_values(text, openers)
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise JsonRefused(str(problem)) from None
    if openers > MAX_LEVELS and _is_deeper(found, MAX_LEVELS):
        raise TooMuchJson(f"more than {MAX_LEVELS} lists and objects in one another; make it flatter")
    return found


def check_values(text: bytes, openers: int | None = None) -> int:
    """About how many values `text` holds, at least as many as there are. Raises `TooMuchJson` above `MAX_VALUES`.

    `openers`: its opening brackets, where they were counted. What text in strings adds is only told apart where the
    count is above the bound with it.
    """
    if openers is None:
        openers = text.count(b"{") + text.count(b"[")
    values = 1 + openers + text.count(b",")
    if values <= MAX_VALUES:
        return values
    values = 1
    at_most = 4 * MAX_VALUES  # of JSON: each value with a key, both strings, and a comma
    for found in islice(_STRING_OR_MARK.finditer(text), at_most):
        values += text[found.start()] != _QUOTE
        at_most -= 1
        if values > MAX_VALUES:
            break
    if values > MAX_VALUES or not at_most:
        raise TooMuchJson(f"more than {MAX_VALUES} values; send less")
    return values


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
