"""Requests as bytes, over a socket of their own, and what comes back."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """A response as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> Any:
        """The code of the error that it is."""
        return json.loads(self.body)["error"]["code"]

    @property
    def closes(self) -> bool:
        """Whether the connection ends with it."""
        return self.headers.get("connection") == "close"


class Caller:
    """A connection to the gateway."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers = self._socket.makefile("rb")

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self._answers.close()
        self._socket.close()

    def send(self, *pieces: bytes) -> Caller:
        """Send these, each in a packet of its own. What the gateway no longer takes is left."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for piece in pieces:
                self._socket.sendall(piece)
        return self

    def status_line(self) -> bytes:
        """The next line."""
        return self._answers.readline().strip()

    def answer(self) -> Answer:
        """The next whole response."""
        status = int(self.status_line().split()[1])
        headers: dict[str, str] = {}
        while line := self._answers.readline().strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        return Answer(status, headers, self._answers.read(int(headers.get("content-length", "0"))))

    def chunks(self) -> bytes:
        """The rest of a response in chunks, as it comes."""
        found = b""
        while not found.endswith(b"\r\n0\r\n\r\n"):
            line = self._answers.readline()
            assert line, "the connection ended before the response"
            found += line
        return found

    def some(self, size: int) -> bytes:
        """The next bytes of a body."""
        return self._answers.read(size)

    def rest(self) -> bytes:
        """All that comes until the gateway closes; a reset is an end, too, and what came before it counts."""
        found = bytearray()
        with contextlib.suppress(ConnectionResetError):
            while piece := self._answers.read1(65536):
                found += piece
        return bytes(found)


def chat(path: str = "/v1/chat/completions", **fields: Any) -> bytes:
    """A request to the OpenAI API."""
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}).encode()
    return b"POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (path.encode(), len(body)) + body


def ask(port: int, *pieces: bytes) -> Answer:
    """The one answer on a connection of its own."""
    with Caller(port) as caller:
        return caller.send(*pieces).answer()


def in_bytes(data: bytes) -> list[bytes]:
    """`data`, byte by byte."""
    return [data[place : place + 1] for place in range(len(data))]
