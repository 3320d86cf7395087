"""The head of a function's answer: status and headers, as the API passes them on."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

DELIMITER = b"\0" * 8
"""Between the metadata of a streamed answer and its payload."""
LARGEST_METADATA = 1 << 20
"""Bytes. An answer without a delimiter is refused; this bounds what is kept to find that out."""
_REMAPPED = "x-amzn-remapped-"
RENAMED = frozenset(("authorization", "connection", "date", "max-forwards", "server", "user-agent", "www-authenticate"))
"""Response headers that a REST API renames (api-gateway-known-issues.html)."""
LEFT_OUT = frozenset(("content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"))
"""Response headers that the API writes itself, or that never pass it."""


class Unreadable(ValueError):
    """The API cannot pass on this answer of a function."""


@dataclass(frozen=True)
class Head:
    """Status and headers."""

    status: int
    headers: tuple[tuple[str, str], ...]
    """Names in lower case."""


class Metadata:
    """Finds the metadata at the start of a streamed answer."""

    def __init__(self) -> None:
        self._data = b""

    def add(self, data: bytes) -> tuple[Head, bytes] | None:
        """Take the next bytes; return the head and what follows it, once it is whole. Raises `Unreadable`."""
        self._data += data
        text, found, rest = self._data.partition(DELIMITER)
        if found:
            return streamed_head(text), rest
        if len(self._data) > LARGEST_METADATA:
            raise Unreadable("the answer does not begin with metadata and eight null bytes")
        return None


def streamed_head(text: bytes) -> Head:
    """Read the metadata of a streamed answer. Raises `Unreadable`."""
    return _head(_read(text))


def whole_answer(text: bytes) -> tuple[Head, bytes]:
    """Read an answer that is not streamed. Raises `Unreadable`."""
    answer = _read(text)
    body = answer.body or ""
    try:
        return _head(answer), base64.b64decode(body) if answer.isBase64Encoded else body.encode()
    except binascii.Error:
        raise Unreadable("body is not base64") from None


_Value = str | int | float | bool


class _Answer(msgspec.Struct):
    statusCode: int | str
    headers: dict[str, _Value] | None = None
    multiValueHeaders: dict[str, list[_Value]] | None = None
    cookies: list[str] | None = None
    body: str | None = None
    isBase64Encoded: bool = False


def _read(text: bytes) -> _Answer:
    try:
        return msgspec.json.decode(text, type=_Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
        raise Unreadable(str(problem)) from None


def _head(answer: _Answer) -> Head:
    status = str(answer.statusCode)
    if not (len(status) == 3 and status.isdigit() and 200 <= int(status) <= 599):
        raise Unreadable(f"statusCode {status} is none of a response")
    return Head(int(status), tuple(_headers(answer)))


def _headers(answer: _Answer) -> Iterator[tuple[str, str]]:
    several = answer.multiValueHeaders or {}
    given = {name.lower() for name in several}
    for name, value in (answer.headers or {}).items():
        if name.lower() not in given:
            yield from _passed(name, value)
    for name, values in several.items():
        for value in values:
            yield from _passed(name, value)
    for cookie in answer.cookies or ():
        yield "set-cookie", cookie


def _passed(name: str, value: _Value) -> Iterator[tuple[str, str]]:
    lower = name.lower()
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if lower not in LEFT_OUT:
        yield (_REMAPPED + lower if lower in RENAMED else lower), text
