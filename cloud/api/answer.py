"""The head of a function's answer: status and headers, as the API passes them on."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

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
    """A function's answer is none that the API can pass on."""


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
    return _head(_object(text))


def whole_answer(text: bytes) -> tuple[Head, bytes]:
    """Read an answer that is not streamed. Raises `Unreadable`."""
    members = _object(text)
    body = members.get("body") or ""
    if not isinstance(body, str):
        raise Unreadable("body is no text")
    return _head(members), base64.b64decode(body) if members.get("isBase64Encoded") else body.encode()


def _object(text: bytes) -> Mapping[str, Any]:
    try:
        members = json.loads(text)
    except ValueError:
        raise Unreadable("the answer is no JSON") from None
    if not isinstance(members, dict):
        raise Unreadable("the answer is no object")
    return members


def _head(members: Mapping[str, Any]) -> Head:
    try:
        status = int(members["statusCode"])
    except (KeyError, TypeError, ValueError):
        raise Unreadable("statusCode is missing or no number") from None
    if not 200 <= status <= 599:
        raise Unreadable(f"statusCode {status} is none of a response")
    return Head(status, tuple(_headers(members)))


def _headers(members: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    several: Mapping[str, Iterable[object]] = members.get("multiValueHeaders") or {}
    given = {name.lower() for name in several}
    for name, value in (members.get("headers") or {}).items():
        if isinstance(value, (list, dict)):
            raise Unreadable(f"header {name} is no text")
        if name.lower() not in given:
            yield from _passed(name, value)
    for name, values in several.items():
        for value in values:
            yield from _passed(name, value)
    for cookie in members.get("cookies") or ():
        yield "set-cookie", str(cookie)


def _passed(name: str, value: object) -> Iterator[tuple[str, str]]:
    lower = name.lower()
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if lower not in LEFT_OUT:
        yield (_REMAPPED + lower if lower in RENAMED else lower), text
