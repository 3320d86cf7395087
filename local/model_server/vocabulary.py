"""The texts of the tokens: bytes by id, which are special, and text that grows token by token as TGI's does."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

REPLACEMENT = "\ufffd"
"""The replacement for bytes that are not UTF-8."""
_CONTROL = 3
"""GGUF's token type of special tokens."""


@dataclass(frozen=True)
class Vocabulary:
    """Every token of the model."""

    pieces: tuple[bytes, ...]
    """The bytes that a token stands for, by id; some are parts of a UTF-8 character."""
    special: frozenset[int]
    """Ids of control tokens, which are not part of the text of an answer."""
    harmless: int
    """The id of a token that is a complete character, for questions whose answer is not wanted."""

    def cuts(self, text: bytes, count: int) -> list[tuple[int, ...]]:
        """Every way to make a few bytes out of `count` tokens."""
        if count == 1:
            return [(token,) for token in self._ids.get(text, ())]
        return [
            (token, *rest)
            for end in range(1, len(text))
            for token in self._ids.get(text[:end], ())
            for rest in self.cuts(text[end:], count - 1)
        ]

    @functools.cached_property
    def _ids(self) -> Mapping[bytes, tuple[int, ...]]:
        ids: dict[bytes, tuple[int, ...]] = {}
        for token, piece in enumerate(self.pieces):
            if token not in self.special:
                ids[piece] = (*ids.get(piece, ()), token)
        return ids

    def piece_text(self, token: int) -> str:
        """The token's text alone, parts of characters replaced."""
        return self.pieces[token].decode(errors="replace")

    def answer_text(self, tokens: Iterable[int]) -> str:
        """The text of an answer without its special tokens; as in TGI, "" when it is cut within a character."""
        text = b"".join(self.pieces[token] for token in tokens if token not in self.special).decode(errors="replace")
        return "" if text.endswith(REPLACEMENT) else text


class GrowingText:
    """The text that each further token adds, as TGI cuts it: nothing until a character is whole, then all of it."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._held = b""

    def add(self, token: int) -> str:
        """The text that became readable with this token."""
        self._held += self._vocabulary.pieces[token]
        text = self._held.decode(errors="replace")
        if text.endswith(REPLACEMENT):
            return ""
        self._held = b""
        return text


def read_vocabulary(header: Mapping[str, Any]) -> Vocabulary:
    """The vocabulary in a GGUF header whose tokens are written in GPT-2's alphabet of bytes."""
    tokens: Sequence[str] = header["tokenizer.ggml.tokens"]
    kinds: Sequence[int] = header["tokenizer.ggml.token_type"]
    alphabet = _byte_alphabet()
    special = frozenset(token for token, kind in enumerate(kinds) if kind == _CONTROL)
    pieces = tuple(
        text.encode() if token in special else bytes(alphabet[letter] for letter in text)
        for token, text in enumerate(tokens)
    )
    return Vocabulary(pieces=pieces, special=special, harmless=pieces.index(b"a"))


def _byte_alphabet() -> dict[str, int]:
    """GPT-2's letters for bytes: printable ones stand for themselves, the others follow from U+0100 on."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}
