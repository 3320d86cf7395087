"""HTTP on sockets of this process: uvicorn's protocol without its server, so that one process has many listeners."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Mapping[str, Any], Receive, Send], Awaitable[None]]
_KEEP_ALIVE = 75
"""Seconds that a connection may wait for its next request."""
_BETWEEN_TRIES = 0.01
"""Seconds (readiness check of the Lambda Web Adapter: 10 ms)."""


async def listen(application: Application, where: socket.socket, tls: ssl.SSLContext | None = None) -> asyncio.Server:
    """Serve an ASGI application on a bound socket.

    If an application returns in the middle of a response, the connection breaks, so that the client sees that it is not
    whole.
    """
    config = uvicorn.Config(
        application,  # pyright: ignore[reportArgumentType]
        interface="asgi3",
        http=_Connection,
        proxy_headers=False,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        timeout_keep_alive=_KEEP_ALIVE,
    )
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    return await loop.create_server(
        lambda: _Connection(config, state, {}, loop), sock=where, ssl=tls, backlog=512, start_serving=True
    )


def bound(port: int = 0) -> socket.socket:
    """Return a socket that is bound to a port of 127.0.0.1; 0: any port. Raises `OSError`."""
    return socket.create_server(("127.0.0.1", port), backlog=512)


async def listens(port: int) -> None:
    """Wait until a server takes connections on a port of 127.0.0.1."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(_BETWEEN_TRIES)
        else:
            writer.close()
            return


class _Connection(HttpToolsProtocol):
    def data_received(self, data: bytes) -> None:
        # A client that sends small pieces and waits for each acknowledgement would otherwise wait up to 40 ms.
        if sys.platform == "linux" and self.scheme == "http":
            self.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        super().data_received(data)


def _is_news(record: logging.LogRecord) -> bool:
    return "returned without completing response" not in record.getMessage()


logging.getLogger("uvicorn.error").addFilter(_is_news)
