"""One HTTP/1.1 connection to a replica."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import termios
from collections.abc import AsyncIterator
from typing import cast

import httptools

from gateway_lambda.upstream.request import Request
from gateway_lambda.upstream.response import Response, State

_HIGH_WATER = 64 * 1024
"""Bytes of a body that wait to be read. Above, the connection is not read from, so that the replica has to wait."""
_MAX_BESIDE_BODY = 256 * 1024
"""Bytes in a row outside a body: headers, trailers, sizes of chunks. More would only fill the memory."""
_FIRST_STATUS, _LAST_STATUS = 100, 599
"""Others mean nothing (RFC 9110 §15), and servers cannot send them on."""


class Owner:
    """The owner of a connection. It learns when the connection is free again, and when it is gone."""

    def made(self, connection: Connection) -> None:
        """The connection is open."""
        raise NotImplementedError

    def free(self, connection: Connection) -> None:
        """The connection can carry another request."""
        raise NotImplementedError

    def gone(self, connection: Connection, *, by_us: bool) -> None:
        """The connection has ended. `by_us`: the gateway ended it."""
        raise NotImplementedError


class Connection(asyncio.Protocol):
    """A connection, for one request at a time. The parser calls the methods named `on_…`."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._response: Response | None = None
        self._bodyless = False
        self._sending = False
        self._beside_body = 0
        """Bytes that have come since the last piece of a body."""
        self._ended_by_us = False
        self._reading_paused = False
        self._writable: asyncio.Future[None] | None = None
        self.used = False
        """It has carried a request before."""
        self.free_since = 0.0
        """Since when it waits for a request, in seconds since 1970. While a function is frozen, other clocks can stand
        still, but the other end goes on."""

    @property
    def usable(self) -> bool:
        """Whether it is open, as far as is known."""
        return self._transport is not None and not self._transport.is_closing()

    def send(self, request: Request) -> Response:
        """Send a request, without a body that comes later, and return its response."""
        response = self._response = Response(self.end, self.resume_reading)
        self._bodyless = request.bodyless
        self._beside_body = 0
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(request.head)
        else:
            response.untaken = True
            response.break_off("the connection was closed")
        return response

    async def send_body(self, pieces: AsyncIterator[bytes], length: int | None) -> None:
        """Send a body as it comes, of `length` bytes or in chunks. Ends early if the connection does.

        Closes the connection if `pieces` fails or has another length. Otherwise the replica would take extra bytes for
        another request, or another request for the missing bytes.
        """
        self._sending = True
        left = length
        try:
            async for piece in pieces:
                if self._writable is not None:
                    await self._writable
                if self._transport is None or self._transport.is_closing():
                    return
                if left is not None:
                    left -= len(piece)
                    if left < 0:
                        return
                    self._transport.write(piece)
                elif piece:
                    self._transport.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            if left:
                return
            if left is None and self._transport is not None and not self._transport.is_closing():
                self._transport.write(b"0\r\n\r\n")
            self._sending = False
        finally:
            if self._sending:
                self.end()

    def end(self) -> None:
        """Close the connection."""
        self._ended_by_us = True
        if self._transport is not None:
            self._transport.abort()

    def resume_reading(self) -> None:
        """Read on, because the reader of the response has taken everything."""
        if self._reading_paused and self.usable:
            self._reading_paused = False
            cast("asyncio.Transport", self._transport).resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._owner.made(self)

    def data_received(self, data: bytes) -> None:
        if self._response is None:
            self.end()
            return
        self._response.seen = True
        self._beside_body += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as problem:
            self._break_off(f"this is not an HTTP response: {problem}")
        if self._beside_body > _MAX_BESIDE_BODY:
            self._break_off("the headers do not end")

    def eof_received(self) -> None:
        """The replica ends the connection. The transport closes then."""
        if self._response is not None and not self._response.seen and self._transport is not None:
            self._response.untaken = _has_unconfirmed(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.resume_writing()
        response, self._response = self._response, None
        if response is not None:
            if exc is None and response.state is State.BODY and _ends_with_connection(response):
                response.complete()
            else:
                response.break_off("the connection was closed" if exc is None else f"the connection broke: {exc}")
        self._owner.gone(self, by_us=self._ended_by_us)

    def pause_writing(self) -> None:
        if self._writable is None:
            self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def on_message_begin(self) -> None:
        if self._response is None:
            self.end()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Trailers are left out: a field after a body is not a header (RFC 9110 §6.5.1)."""
        if self._response is not None and self._response.state is State.HEAD:
            self._response.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        response = self._response
        if response is None:
            return
        status = self._parser.get_status_code()
        if not _FIRST_STATUS <= status <= _LAST_STATUS:
            raise ValueError(f"status {status}")
        response.status = status
        if status < 200:
            return
        response.begin()
        if self._bodyless:
            self._finish(keep=False)

    def on_body(self, body: bytes) -> None:
        self._beside_body = 0
        response = self._response
        if response is not None and response.add(body) > _HIGH_WATER and not self._reading_paused and self.usable:
            self._reading_paused = True
            cast("asyncio.Transport", self._transport).pause_reading()

    def on_message_complete(self) -> None:
        response = self._response
        if response is None:
            return
        if response.status < 200:
            response.status = 0
            response.headers.clear()
            return
        self._finish(keep=self._parser.should_keep_alive())

    def _finish(self, *, keep: bool) -> None:
        response, self._response = self._response, None
        if response is not None:
            response.complete()
        self.resume_reading()
        self.used = True
        if keep and self.usable and not self._sending:
            self._owner.free(self)
        else:
            self.end()

    def _break_off(self, reason: str) -> None:
        response, self._response = self._response, None
        if response is not None:
            response.break_off(reason)
        self.end()


def _has_unconfirmed(transport: asyncio.Transport) -> bool:
    """Whether something that was sent did not reach the replica before the replica ended the connection.

    The segment that ends a connection confirms everything that came before it. So what is not confirmed after it came
    too late to be read, or never. With TLS, which adds its own bytes, and on systems that do not say it, nothing is
    known.
    """
    sock: socket.socket | None = transport.get_extra_info("socket")
    if sock is None or transport.get_extra_info("sslcontext") is not None:
        return False
    if transport.get_write_buffer_size():
        return True
    try:
        (bytes_left,) = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)))
    except OSError:
        return False
    return bytes_left > 0


def _ends_with_connection(response: Response) -> bool:
    """Whether the body ends with its connection, because it has no length (RFC 9112 §6.3)."""
    return response.header(b"content-length") is None and response.header(b"transfer-encoding") is None
