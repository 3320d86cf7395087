"""Finding stop strings in text that comes in pieces (docs/translation.md#stop-strings).

The stop string that is complete first wins. Of several at the same place, the longest wins. The result does not
depend on the pieces, as long as text that can still become a stop string is held back.
"""

from __future__ import annotations

from collections.abc import Iterable


class Stops:
    """The texts that end an answer. Immutable.

    `strings` are looked for in the text. A control token ends the answer if its text is one of `strings` or `tokens`.
    """

    __slots__ = ("_first", "ends", "strings")

    def __init__(self, strings: Iterable[str], tokens: Iterable[str] = ()) -> None:
        self.strings = tuple(dict.fromkeys(string for string in strings if string))
        self.ends = frozenset((*self.strings, *tokens))
        self._first = tuple(dict.fromkeys(string[0] for string in self.strings))

    def may_begin_in(self, text: str) -> bool:
        """Return False if no stop string begins in `text`. This is cheap, and enough for nearly every token."""
        for first in self._first:  # noqa: SIM110 - a generator costs three times as much, for each token
            if first in text:
                return True
        return False

    def find(self, text: str) -> int:
        """Return where the winning stop string begins; -1 if none is complete."""
        start, end = -1, len(text) + 1
        for string in self.strings:
            at = text.find(string, 0, end)
            if at >= 0 and (at + len(string) < end or at < start):
                start, end = at, at + len(string)
        return start

    def starting_at(self, text: str, at: int) -> str:
        """Return the longest stop string at a place of `text` where one begins, as `find` says."""
        return max((string for string in self.strings if text.startswith(string, at)), key=len)

    def unfinished(self, text: str) -> int:
        """Return the length of the longest end of `text` that is the beginning of a stop string."""
        longest = 0
        for string in self.strings:
            at = text.find(string[0], max(0, len(text) - len(string) + 1))
            while at >= 0 and len(text) - at > longest:
                if string.startswith(text[at:]):
                    longest = len(text) - at
                    break
                at = text.find(string[0], at + 1)
        return longest
