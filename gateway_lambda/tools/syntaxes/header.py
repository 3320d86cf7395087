"""The header of a call: the text between its opener and its arguments, which has the name of the function.

It comes in pieces, so that each prefix of it is either a header, the beginning of one, or neither.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Part(NamedTuple):
    """A part of a header: an expression for all of it, and one for a beginning of it."""

    whole: str
    begun: str


def literal(text: str, *, optional: bool = False) -> Part:
    """Return the part that is `text`."""
    begun = ""
    for char in reversed(text):
        begun = f"(?:{re.escape(char)}{begun})?"
    whole = re.escape(text)
    return Part(f"(?:{whole})?" if optional else whole, begun)


SPACE = Part(r"[ \t\r\n]*", r"[ \t\r\n]*")
NAME = Part(r"(?P<name>[a-zA-Z0-9_-]+)", r"[a-zA-Z0-9_-]*")
"""The name of a function. It gives the call its name."""


class Header:
    """The parts of a header, in order. No part can match more if more text comes."""

    def __init__(self, *parts: Part) -> None:
        begun: list[str] = []
        before = ""
        for part in parts:
            begun.append(before + part.begun)
            before += re.sub(r"\(\?P<\w+>", "(?:", part.whole)
        self._whole = re.compile("".join(part.whole for part in parts))
        self._begun = re.compile(f"(?:{'|'.join(begun)})\\Z")

    def match(self, text: str) -> re.Match[str] | None:
        """Return the header at the start of `text`, if it is complete. Its groups are `name`, and perhaps `id`."""
        return self._whole.match(text)

    def begins(self, text: str) -> bool:
        """Return whether `text` is the beginning of a header."""
        return self._begun.match(text) is not None
