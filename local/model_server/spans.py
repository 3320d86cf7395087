"""Where tokens are in a text, in bytes, as TGI's tokenizer tells it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def locate(data: bytes, pieces: Iterable[bytes]) -> Iterator[tuple[int, int]]:
    """Return the span of each token of a text. A token that holds a part of a character has the span of the character.

    A piece that is not in the text has no width: the tokenizer itself put it in front.
    """
    position = 0
    for piece in pieces:
        end = position + len(piece)
        if data[position:end] != piece:
            yield position, position
            continue
        start, stop = position, end
        while _within_character(data, start):
            start -= 1
        while _within_character(data, stop):
            stop += 1
        yield start, stop
        position = end


def _within_character(data: bytes, position: int) -> bool:
    return position < len(data) and data[position] & 0xC0 == 0x80
