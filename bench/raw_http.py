"""The server's side of HTTP/1.1 over raw sockets, which costs very little: for upstreams with fixed answers."""

from __future__ import annotations

import asyncio
import json
import re
from typing import cast

STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: ?(\d+)", re.IGNORECASE)


class Connection(asyncio.Protocol):
    """One connection. Requests come one after the other, as HTTP clients with a pool send them."""

    def __init__(self) -> None:
        self._received = b""
        self._transport: asyncio.WriteTransport | None = None

    def answer(self, path: bytes, body: bytes) -> None:
        """Answer a request, at once or step by step."""
        raise NotImplementedError

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(self._received, 0, end + 2)
        whole = end + 4 + (int(length[1]) if length else 0)
        if len(self._received) < whole:
            return
        path = self._received.split(b" ", 2)[1]
        body = self._received[end + 4 : whole]
        self._received = self._received[whole:]
        self.answer(path, body)

    def write(self, data: bytes) -> None:
        """Send `data`, if the client is still connected."""
        if self._transport is not None:
            self._transport.write(data)


def plain(value: object, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """Return a whole response with a JSON body."""
    body = json.dumps(value, separators=(",", ":")).encode()
    length = b"content-length: %d" % len(body)
    return b"\r\n".join([b"HTTP/1.1 " + status, b"content-type: application/json", length, *headers, b"", body])


def event(value: object, space: bytes = b" ") -> bytes:
    """Return an event of a stream, as a chunk. `space`: what follows `data:`. Bytes are sent unchanged."""
    text = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    data = b"data:%s%s\n\n" % (space, text)
    return b"%x\r\n%s\r\n" % (len(data), data)
