"""The byte copies: proxies on the gateway's server that copy bytes and do nothing else.

`python -m bench.copying CLIENT PORT UPSTREAM`. They pass on the path and the body of a POST, and each piece of the
answer as it comes. CLIENT is `aiohttp` or `own`. aiohttp is the cheapest general HTTP client, and the targets compare
the gateway with it. `own` is the gateway's client: a gateway over this client cannot cost less.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import uvicorn
from yarl import URL

from gateway_lambda.settings import Settings
from gateway_lambda.upstream.client import Upstream
from gateway_lambda.upstream.replica import Replica

Message = dict[str, Any]
Headers = list[tuple[bytes, bytes]]
_KEPT = (b"content-type", b"content-length")


class ThroughAiohttp:
    """Sends POST requests by a connection pool of aiohttp."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._session: aiohttp.ClientSession | None = None

    async def post(
        self, path: bytes, body: bytes, start: Callable[[int, Headers], Awaitable[None]]
    ) -> AsyncIterator[bytes]:
        """Yield the pieces of the answer. Before them, call `start` with its status and headers."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=None),
                auto_decompress=False,
            )
        url = URL(self._upstream + path.decode(), encoded=True)
        async with self._session.post(url, data=body, headers={"content-type": "application/json"}) as response:
            await start(response.status, [(name.lower(), value) for name, value in response.raw_headers])
            while not response.content.at_eof():
                yield await response.content.readany()


class ThroughOwn:
    """Sends POST requests by the gateway's own client."""

    def __init__(self, upstream: str) -> None:
        self._upstream = Upstream(Settings())
        self._replica = Replica(upstream, None)

    async def post(
        self, path: bytes, body: bytes, start: Callable[[int, Headers], Awaitable[None]]
    ) -> AsyncIterator[bytes]:
        """Yield the pieces of the answer. Before them, call `start` with its status and headers."""
        headers = [(b"content-type", b"application/json")]
        reply = await self._upstream.send(self._replica, b"POST", path, headers, body)
        try:
            await start(reply.status, list(reply.headers))
            while piece := await reply.piece():
                yield piece
        finally:
            reply.close()


class Copying:
    """An ASGI application."""

    def __init__(self, client: ThroughAiohttp | ThroughOwn) -> None:
        self._client = client

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        if scope["type"] != "http":
            return
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)

        async def start(status: int, headers: Headers) -> None:
            kept = [header for header in headers if header[0] in _KEPT]
            await send({"type": "http.response.start", "status": status, "headers": kept})

        async for piece in self._client.post(scope["raw_path"], body, start):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


if __name__ == "__main__":
    kind, port, address = sys.argv[1:]
    uvicorn.run(
        Copying({"aiohttp": ThroughAiohttp, "own": ThroughOwn}[kind](address)),
        host="127.0.0.1",
        port=int(port),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
    )
