"""Finding stop strings in text that comes in pieces (docs/translation.md#stop-strings).

The winner is the occurrence that completes first, among those the longest. That is the same however the text is cut
into pieces, as long as what may still become a stop is held back.
"""

from __future__ import annotations

from collections.abc import Iterable


class Stops:
    """What ends an answer. Immutable.

    `strings` are looked for in the text; a control token ends it whose text is one of them or of `tokens`.
    """

    __slots__ = ("_first", "ends", "strings")

    def __init__(self, strings: Iterable[str], tokens: Iterable[str] = ()) -> None:
        self.strings = tuple(dict.fromkeys(string for string in strings if string))
        self.ends = frozenset((*self.strings, *tokens))
        self._first = tuple(dict.fromkeys(string[0] for string in self.strings))

    def may_begin_in(self, text: str) -> bool:
        """False: no stop begins in `text`. The cheap question, which nearly every token answers."""
        return any(first in text for first in self._first)

    def find(self, text: str) -> int:
        """Where the winning occurrence begins; -1 when no stop is complete."""
        start, end = -1, len(text) + 1
        for string in self.strings:
            at = text.find(string, 0, end)
            if at >= 0 and (at + len(string) < end or at < start):
                start, end = at, at + len(string)
        return start

    def unfinished(self, text: str) -> int:
        """The length of the longest end of `text` that a stop begins with, without being that stop."""
        longest = 0
        for string in self.strings:
            at = text.find(string[0], max(0, len(text) - len(string) + 1))
            while at >= 0 and len(text) - at > longest:
                if string.startswith(text[at:]):
                    longest = len(text) - at
                    break
                at = text.find(string[0], at + 1)
        return longest
