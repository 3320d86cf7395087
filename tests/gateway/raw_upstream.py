"""An upstream that keeps every byte it was sent, connection by connection, and answers `ok` to each request in them."""

from __future__ import annotations

import asyncio

import httptools


class RawUpstream:
    """Listens on a port of 127.0.0.1 in the loop it is started in."""

    def __init__(self) -> None:
        self.received: list[bytearray] = []
        """What came, a connection each, in the order in which they were made."""
        self.port = 0
        self.transports: list[asyncio.Transport] = []
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def requests(self) -> list[bytes]:
        """What came, in one piece a connection."""
        return [bytes(each) for each in self.received]

    async def start(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(lambda: _Connection(self), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for transport in self.transports:
            transport.abort()
        await asyncio.sleep(0)


class _Connection(asyncio.Protocol):
    def __init__(self, upstream: RawUpstream) -> None:
        self._received = bytearray()
        self._upstream = upstream
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._upstream.received.append(self._received)
        self._upstream.transports.append(transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        assert self._transport is not None
        body = b"" if self._parser.get_method() == b"HEAD" else b"ok"
        self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\n" + body)
