"""Lambda's Runtime API and Extensions API for one instance of a function: the calls that a web adapter makes.

It gives out events one at a time, and passes on the pieces of each answer as they come.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

from cloud.api.serving import Message, Receive, Send, bound, listen

LARGEST_EVENT = 6_291_556
"""Bytes of an event's JSON: what Lambda takes of a synchronous invocation."""
_NEXT = "/2018-06-01/runtime/invocation/next"
_INVOCATION = "/2018-06-01/runtime/invocation/"
_WAITING_PIECES = 64
"""Pieces that wait for a slow reader before the function has to wait too."""


class EventTooLarge(ValueError):
    """Lambda does not take the event."""


def check_size(event: bytes) -> None:
    """Raises `EventTooLarge`."""
    if len(event) > LARGEST_EVENT:
        raise EventTooLarge(f"the event has {len(event)} bytes, Lambda takes {LARGEST_EVENT}")


class Invocation:
    """One event, and the answer of the function."""

    def __init__(self, event: bytes, *, seconds: float, function: str = "") -> None:
        self.id = str(uuid.uuid4())
        self.event = event
        self.deadline = time.time() + seconds
        self.function = function
        """Its ARN."""
        self.headers: Mapping[str, str] = {}
        """Of the answer's request, names in lower case."""
        self.kind = ""
        """How it ended: `response`; `error` where the function failed; or what ended its instance."""
        self.broken = False
        """The answer broke off: no end was sent."""
        self.come = asyncio.Event()
        """The answer has begun."""
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue(_WAITING_PIECES)
        self._read = True

    @property
    def streamed(self) -> bool:
        """Whether the function streams its answer."""
        return self.headers.get("lambda-runtime-function-response-mode") == "streaming"

    async def pieces(self, silence: float | None = None) -> AsyncGenerator[bytes]:
        """Yield the pieces of the answer as they come. Raises `TimeoutError` after that many seconds without a
        piece."""
        while True:
            async with asyncio.timeout(silence):
                piece = await self._pieces.get()
            if piece is None:
                return
            yield piece

    def leave(self) -> None:
        """Note that nobody reads the answer any more. The function continues."""
        self._read = False
        while not self._pieces.empty():
            self._pieces.get_nowait()

    def begin(self, headers: Mapping[str, str]) -> None:
        """Note that an answer has begun."""
        self.headers = headers
        self.come.set()

    async def add(self, piece: bytes) -> None:
        """Add a piece of the answer."""
        if self._read and piece:
            await self._pieces.put(piece)

    async def end(self, kind: str, *, broken: bool = False) -> None:
        """Note that the answer has ended."""
        if self.kind:
            return
        self.kind, self.broken = kind, broken
        self.come.set()
        if self._read:
            await self._pieces.put(None)


class RuntimeApi:
    """Serves one instance on a port of its own."""

    def __init__(self, function: Mapping[str, Any], *, idle: Callable[[], None] = lambda: None) -> None:
        self._function = function
        self._idle = idle
        """Called each time that the instance asks for an event."""
        self.waiting = asyncio.Event()
        """The instance asked for its first event: its initialization is over."""
        self.user_agent = ""
        """How the instance's runtime client calls itself."""
        self.closing = asyncio.Event()
        self._events: asyncio.Queue[Invocation | None] = asyncio.Queue()
        self._running: dict[str, Invocation] = {}
        self._server: asyncio.Server | None = None
        self.address = ""

    async def start(self) -> None:
        where = bound()
        self.address = f"127.0.0.1:{where.getsockname()[1]}"
        self._server = await listen(self._serve, where)

    async def close(self) -> None:
        self.closing.set()
        self._events.put_nowait(None)
        if self._server is not None:
            self._server.close()
        for invocation in list(self._running.values()):
            await invocation.end("closed", broken=True)

    def hand(self, invocation: Invocation) -> None:
        """Keep an event for the instance, which gets it when it asks for the next one."""
        self._events.put_nowait(invocation)

    async def next(self) -> Invocation | None:
        """Wait for the next event; `None`: this server closes."""
        self.waiting.set()
        self._idle()
        invocation = await self._events.get()
        if invocation is not None:
            self._running[invocation.id] = invocation
        return invocation

    def done(self, invocation: Invocation) -> None:
        """Note that the answer to an event has ended."""
        self._running.pop(invocation.id, None)

    async def _serve(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if scope["method"] == "GET" and path == _NEXT:
            self.user_agent = headers.get("user-agent", "")
            await self._give_next(send)
        elif scope["method"] == "GET" and path == "/2020-01-01/extension/event/next":
            await self.closing.wait()
            await _answer(send, 200, {"eventType": "SHUTDOWN", "shutdownReason": "spindown", "deadlineMs": 0})
        elif scope["method"] != "POST":
            await _answer(send, 404, {})
        elif path == "/2020-01-01/extension/register":
            await _drain(receive)
            names = {"function_name": "functionName", "version": "functionVersion", "handler": "handler"}
            told = {new: self._function.get(old, "") for old, new in names.items()}
            await _answer(send, 200, told, {"lambda-extension-identifier": str(uuid.uuid4())})
        elif path.startswith(_INVOCATION) and path.count("/") == 5 and path.endswith(("/response", "/error")):
            await self._take(path.split("/")[4], path.rpartition("/")[2], headers, receive, send)
        else:
            await _drain(receive)
            await _answer(send, 202 if path == "/2018-06-01/runtime/init/error" else 404, {})

    async def _give_next(self, send: Send) -> None:
        invocation = await self.next()
        if invocation is None:
            await _answer(send, 500, {"errorMessage": "the instance ends", "errorType": "InvalidStateTransition"})
            return
        headers = {
            "lambda-runtime-aws-request-id": invocation.id,
            "lambda-runtime-deadline-ms": str(int(invocation.deadline * 1000)),
            "lambda-runtime-invoked-function-arn": invocation.function,
            "lambda-runtime-trace-id": f"Root=1-{int(time.time()):08x}-{invocation.id.replace('-', '')[:24]};Sampled=0",
        }
        await _answer(send, 200, invocation.event, headers)

    async def _take(self, id: str, kind: str, headers: Mapping[str, str], receive: Receive, send: Send) -> None:
        invocation = self._running.get(id)
        if invocation is None:
            await _drain(receive)
            await _answer(
                send, 400, {"errorMessage": f"no event {id} is being answered", "errorType": "InvalidRequestID"}
            )
            return
        invocation.begin(headers)
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.done(invocation)
                await invocation.end(kind, broken=True)
                return
            await invocation.add(message["body"])
            if not message["more_body"]:
                break
        self.done(invocation)
        await invocation.end(kind)
        await _answer(send, 202, {"status": "OK"})


async def _drain(receive: Receive) -> None:
    while (await receive()).get("more_body"):
        pass


async def _answer(send: Send, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"content-type": "application/json", "content-length": str(len(data)), **(headers or {})}
    start: Message = {
        "type": "http.response.start",
        "status": status,
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }
    await send(start)
    await send({"type": "http.response.body", "body": data})
