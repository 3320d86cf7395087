"""The texts of the tokens: their bytes by id, which ones are special, and text that grows token by token as in TGI."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

REPLACEMENT = "\ufffd"
"""The replacement for bytes that are not UTF-8."""
_NORMAL, _CONTROL, _BYTE = 1, 3, 6
"""GGUF's types of tokens: those of texts, special ones, and those of single bytes."""
_ONE_BYTE = re.compile("<0x([0-9A-F]{2})>")


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
        """Return every way to make these bytes from `count` tokens."""
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
        """Return the text of one token, with parts of characters replaced."""
        return self.pieces[token].decode(errors="replace")

    def answer_text(self, tokens: Iterable[int]) -> str:
        """Return the text of an answer without its special tokens; as in TGI, "" if it is cut inside a character."""
        text = b"".join(self.pieces[token] for token in tokens if token not in self.special).decode(errors="replace")
        return "" if text.endswith(REPLACEMENT) else text


class GrowingText:
    """The text that each token adds, as in TGI: nothing until a character is whole, then the whole character."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._held = b""

    def add(self, token: int) -> str:
        """Return the text that is readable since this token."""
        self._held += self._vocabulary.pieces[token]
        text = self._held.decode(errors="replace")
        if text.endswith(REPLACEMENT):
            return ""
        self._held = b""
        return text


def read_vocabulary(header: Mapping[str, Any]) -> Vocabulary:
    """Return the vocabulary in a GGUF header: tokens in GPT-2's alphabet of bytes, or pieces of SentencePiece.

    Raises:
        ValueError: a vocabulary of another kind.
    """
    tokens: Sequence[str] = header["tokenizer.ggml.tokens"]
    kinds: Sequence[int] = header.get("tokenizer.ggml.token_type") or [_NORMAL] * len(tokens)
    kind = header.get("tokenizer.ggml.model")
    read = {"gpt2": _piece_of_bytes, "llama": _piece_of_sentence}.get(str(kind))
    if read is None:
        raise ValueError(f"a vocabulary of the kind {kind!r}, and TGI's API needs one of the kinds gpt2 and llama")
    special = frozenset(token for token, kind in enumerate(kinds) if kind == _CONTROL)
    pieces = tuple(
        read(text) if kind in (_NORMAL, _BYTE) else text.encode() for text, kind in zip(tokens, kinds, strict=True)
    )
    return Vocabulary(pieces=pieces, special=special, harmless=pieces.index(b"a"))


def _piece_of_bytes(text: str) -> bytes:
    alphabet = _byte_alphabet()
    return bytes(alphabet[letter] for letter in text) if alphabet.keys() >= set(text) else text.encode()


def _piece_of_sentence(text: str) -> bytes:
    """Return the bytes of a piece. It has a mark for a space, and writes a byte that is not a character as `<0x0A>`."""
    byte = _ONE_BYTE.fullmatch(text)
    return text.replace("\u2581", " ").encode() if byte is None else bytes.fromhex(byte[1])


@functools.cache
def _byte_alphabet() -> dict[str, int]:
    """Return GPT-2's letters for bytes: a printable byte is its own letter, the others have letters from U+0100 on."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}
