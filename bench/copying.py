"""The yardstick: a proxy that copies bytes, on the gateway's own server and client libraries, and does nothing else.

`python -m bench.copying PORT UPSTREAM`. It passes on the path and the body of a POST, and each piece of the answer as
it comes; no gateway on these libraries can cost less.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import uvicorn
from yarl import URL

Message = dict[str, Any]


class Copying:
    """An ASGI application."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._session: aiohttp.ClientSession | None = None

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        if scope["type"] != "http":
            return
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=None),
                auto_decompress=False,
            )
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        url = URL(self._upstream + scope["path"], encoded=True)
        async with self._session.post(url, data=body, headers={"content-type": "application/json"}) as response:
            headers = [(name.lower(), value) for name, value in response.raw_headers]
            headers = [(name, value) for name, value in headers if name in (b"content-type", b"content-length")]
            await send({"type": "http.response.start", "status": response.status, "headers": headers})
            content = response.content
            while not content.at_eof():
                await send({"type": "http.response.body", "body": await content.readany(), "more_body": True})
            await send({"type": "http.response.body", "body": b""})


if __name__ == "__main__":
    uvicorn.run(
        Copying(sys.argv[2]),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
    )
