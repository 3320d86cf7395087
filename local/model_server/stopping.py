"""When an answer ends. The order and all rules are those of TGI, because clients see them on AWS too."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from msgspec import UNSET, UnsetType

FinishReason = Literal["length", "eos_token", "stop_sequence"]

PIECE = 1024
"""Tokens that TGI 3 generates at a time (router/src/validation.rs, DEFAULT_GENERATION_LENGTH)."""
UNASKED = 100
"""Tokens of an answer to a request that does not name `max_new_tokens`: TGI's number before version 3. TGI 3 goes on
to the end of the context. A model this small seldom ends a text by itself, and on a CPU that took half a minute for
every bare request."""
LONGEST_UNASKED = 512
"""Tokens of an answer of the small model to a request that says that it has no limit, or to one for a chat that names
none. Other servers go on to the end of the context, which takes a model that repeats itself minutes on a CPU."""
_LONGEST, _KEPT = 300, 200
"""Characters of the answer that stop sequences are looked for in, and how many are kept when there are more."""


def count_budget(
    asked: int | UnsetType | None, input_length: int, *, max_input: int, max_total: int, longest: int
) -> int:
    """Return how many tokens an answer can have.

    `None` means `longest`. More than 1024 tokens are made in pieces of 1024, each of which must fit. TGI compares the
    limit only after each piece: with 1500, an answer has up to 2048 tokens, or 1024 if a second piece does not fit
    (router/src/infer/mod.rs, generate_stream).
    """
    if asked is None or asked is UNSET:
        rest = max(0, max_total - input_length)
        return min(rest, longest if asked is None else UNASKED)
    if asked <= PIECE:
        return asked
    budget = PIECE
    while budget < asked and input_length + budget <= max_input and input_length + budget + PIECE <= max_total:
        budget += PIECE
    return budget


class Stopping:
    """Checks each token: first the budget, then the end-of-sequence token, then the stop sequences."""

    def __init__(self, budget: int, stop: Sequence[str]) -> None:
        self._left = budget
        # `$` matches before a last newline too, as in TGI (server/text_generation_server/utils/tokens.py).
        self._patterns = [re.compile(re.escape(one) + "$") for one in stop]
        self._text = ""

    def look(self, text: str, *, end_of_sequence: bool) -> FinishReason | None:
        """Return whether the answer ends with this token and its `text`. A stop sequence must end where a token
        ends."""
        self._left -= 1
        if self._left <= 0:
            return "length"
        if end_of_sequence:
            return "eos_token"
        self._text += text
        if len(self._text) > _LONGEST:
            self._text = self._text[-_KEPT:]
        if any(pattern.search(self._text) for pattern in self._patterns):
            return "stop_sequence"
        return None
