"""The parts of HTTP that the applications need beside ASGI: request bodies, responses and event streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import aclosing
from typing import Any, TypeVar

import msgspec

from local.model_server.answers import KEEP_ALIVE

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = Mapping[str, str]
T = TypeVar("T")

SILENCE = 15.0
"""Seconds after which a stream sends a comment: axum's default, which TGI takes."""
_EVERYWHERE: Headers = {
    "vary": "origin, access-control-request-method, access-control-request-headers",
    "access-control-allow-origin": "*",
}


class Gone(Exception):
    """The client closed its connection."""


class ServerEnding(Exception):
    """The server ends, so the answer breaks off."""


class Exchange:
    """One request and its response. `ending` is set when the server ends."""

    def __init__(self, scope: Mapping[str, Any], receive: Receive, send: Send, ending: asyncio.Event) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.port: int = scope["server"][1]
        self.headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        self._receive = receive
        self._send = send
        self._ending = ending

    async def body(self, limit: int) -> bytes | None:
        """Return the body; None: it is longer than `limit` bytes.

        Raises:
            Gone: the client left.
        """
        pieces: list[bytes] = []
        length = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Gone
            pieces.append(message.get("body", b""))
            length += len(pieces[-1])
            if length > limit:
                return None
            if not message.get("more_body", False):
                return b"".join(pieces)

    async def respond(self, status: int, body: bytes = b"", *, kind: str = "", headers: Headers | None = None) -> None:
        """Send a whole response."""
        described = {"content-type": kind} if kind else {}
        await self._begin(status, {**described, **(headers or {}), "content-length": str(len(body))})
        await self._send({"type": "http.response.body", "body": b"" if self.method == "HEAD" else body})

    async def respond_json(self, status: int, value: Any, *, headers: Headers | None = None) -> None:
        """Send a whole response with a JSON body."""
        await self.respond(status, msgspec.json.encode(value), kind="application/json", headers=headers)

    async def respond_text(self, status: int, text: str) -> None:
        """Send a whole response with plain text, as axum does for bodies that it cannot read."""
        await self.respond(status, text.encode(), kind="text/plain; charset=utf-8")

    async def respond_events(
        self, events: AsyncGenerator[bytes, None], headers: Headers, *, broken_off: bytes, silence: float = SILENCE
    ) -> None:
        """Send server-sent events as they come, and `broken_off` if the server ends first.

        A comment keeps the connection alive after each `silence` seconds without an event.

        Raises:
            Gone: the client left, and `events` is closed.
        """
        await self._begin(200, {"content-type": "text/event-stream", "cache-control": "no-cache", **headers})
        async with aclosing(events), self.watch() as watch:
            while True:
                try:
                    event = await watch.wait(anext(events, b""), every=silence, meanwhile=self._comment)
                except ServerEnding:
                    await self._send_part(broken_off)
                    break
                if not event:
                    break
                await self._send_part(event)
        await self._send({"type": "http.response.body", "body": b""})

    def watch(self) -> Watch:
        """Return a watch on whether the client is still connected. Call it only after the body was read."""
        return Watch(self._receive, self._ending)

    async def _begin(self, status: int, headers: Headers) -> None:
        written = [(name.encode(), value.encode()) for name, value in {**headers, **_EVERYWHERE}.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": written})

    async def _comment(self) -> None:
        await self._send_part(KEEP_ALIVE)

    async def _send_part(self, part: bytes) -> None:
        await self._send({"type": "http.response.body", "body": part, "more_body": True})


class Watch:
    """Waits for work as long as the client is connected and the server runs."""

    def __init__(self, receive: Receive, ending: asyncio.Event) -> None:
        self._receive = receive
        self._event = ending

    async def __aenter__(self) -> Watch:
        self._gone = asyncio.create_task(self._until_gone())
        self._ended = asyncio.create_task(self._event.wait())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._gone.cancel()
        self._ended.cancel()
        await asyncio.gather(self._gone, self._ended, return_exceptions=True)

    async def wait(
        self, work: Awaitable[T], *, every: float | None = None, meanwhile: Callable[[], Awaitable[None]] | None = None
    ) -> T:
        """Return the result of `work`. While it is not there, call `meanwhile` every `every` seconds.

        Raises:
            Gone: the client left; `work` is cancelled.
            ServerEnding: the server ends; `work` is cancelled.
        """
        task = asyncio.ensure_future(work)
        try:
            while True:
                waited = {task, self._gone, self._ended}
                await asyncio.wait(waited, timeout=every, return_when=asyncio.FIRST_COMPLETED)
                if task.done():
                    return task.result()
                if self._gone.done():
                    raise Gone
                if self._ended.done():
                    raise ServerEnding
                if meanwhile is not None:
                    await meanwhile()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
