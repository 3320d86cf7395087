"""Log-probabilities of the tokens that are shown (docs/translation.md#log-probabilities)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

import msgspec

UNKNOWN = -9999.0
"""Stands for a log-probability of −inf, which JSON cannot hold."""


class Token(Protocol):
    """A generated token. `logprob`: a finite number, or None. Control tokens are `special`."""

    @property
    def text(self) -> str: ...
    @property
    def special(self) -> bool: ...
    @property
    def logprob(self) -> float | None: ...


class Score(msgspec.Struct):
    """One shown token. `top`: the most likely tokens at its place. `offset`: where its text begins."""

    text: str
    logprob: float
    top: list[tuple[str, float]]
    offset: int


class Scores:
    """Holds the score of each token back until all of its text is shown. A token that a stop cuts off has no score.

    `taken` is called with every token, in order, and the text that was shown after it.
    """

    __slots__ = ("_end", "_shown", "_top", "_waiting")

    def __init__(self, top: int) -> None:
        self._top = top
        self._end = 0
        self._shown = 0
        self._waiting: deque[tuple[int, Score]] = deque()

    def taken(self, token: Token, top_tokens: Sequence[Token] | None, shown: str) -> list[Score]:
        """Return the scores of the tokens whose text has been shown completely."""
        if not token.special:
            offset = self._end
            self._end += len(token.text)
            top = [(each.text, known(each.logprob)) for each in (top_tokens or ())[: self._top]]
            self._waiting.append((self._end, Score(token.text, known(token.logprob), top, offset)))
        self._shown += len(shown)
        found: list[Score] = []
        while self._waiting and self._waiting[0][0] <= self._shown:
            found.append(self._waiting.popleft()[1])
        return found


def known(logprob: float | None) -> float:
    """Return a log-probability, also if the server gave no number."""
    return UNKNOWN if logprob is None else logprob
