"""A stand-in for Lambda's Runtime API and Extensions API, as much of them as a web adapter asks.

It hands out events one at a time, refuses those that Lambda would refuse for their size, and reads the streamed answer
piece by piece, with the time at which each came.
"""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LARGEST_EVENT = 6_291_556
"""Bytes of an event's JSON: what Lambda takes of a synchronous invocation."""
_DELIMITER = b"\0" * 8
"""Between the metadata of a streamed answer and its payload."""
DEADLINE = 900.0
"""Seconds that a function may take."""
_ARN = "arn:aws:lambda:eu-west-1:000000000000:function:gateway"


class EventTooLarge(ValueError):
    """Lambda would not take it."""


@dataclass(frozen=True)
class Piece:
    """Payload that came in one go."""

    at: float
    """When, by `time.monotonic`."""
    data: bytes


class Invocation:
    """One event and what the function answers to it."""

    def __init__(self, event: bytes, deadline: float) -> None:
        self.deadline = deadline
        self.broken = False
        """The adapter's request broke off: no end was sent."""
        self.id = str(uuid.uuid4())
        self.event = event
        self.began = time.monotonic()
        self.kind = ""
        """`response`, or `error` where the function failed."""
        self.headers: Mapping[str, str] = {}
        self.trailers: Mapping[str, str] = {}
        self.pieces: list[Piece] = []
        """What has come of the payload so far."""
        self._head = b""
        self._metadata: Mapping[str, Any] | None = None
        self._ended = False
        self._news = threading.Condition()

    def metadata(self, within: float = 20) -> Mapping[str, Any]:
        """Status and headers, as soon as they and the delimiter are there."""
        self._wait(lambda: self._metadata is not None, within, "metadata")
        if self._metadata is None:
            raise AssertionError(f"the answer ended without metadata: {self.kind} {self._head[:500]!r}")
        return self._metadata

    def piece(self, number: int, within: float = 20) -> Piece:
        """A piece of the payload as soon as it is there."""
        self._wait(lambda: len(self.pieces) > number, within, f"piece {number}")
        return self.pieces[number]

    def payload(self, within: float = 60) -> bytes:
        """All of it, once the answer has ended."""
        self._wait(lambda: False, within, "the answer's end")
        return b"".join(piece.data for piece in self.pieces)

    def come(self, kind: str, headers: Mapping[str, str]) -> None:
        with self._news:
            self.kind, self.headers = kind, headers
            self._news.notify_all()

    def add(self, data: bytes) -> None:
        with self._news:
            if self._metadata is None:
                self._head += data
                text, delimiter, data = self._head.partition(_DELIMITER)
                if not delimiter:
                    return
                self._metadata = json.loads(text)
            if data:
                self.pieces.append(Piece(time.monotonic(), data))
            self._news.notify_all()

    def end(self, trailers: Mapping[str, str], *, broken: bool = False) -> None:
        with self._news:
            self.broken = broken
            self.trailers = trailers
            self._ended = True
            self._news.notify_all()

    def _wait(self, true: Any, within: float, what: str) -> None:
        with self._news:
            if not self._news.wait_for(lambda: true() or self._ended, within):
                raise AssertionError(
                    f"{what} did not come within {within} s; there is {self._head[:200]!r} {self.pieces}"
                )


class RuntimeApi:
    """Serves one function on loopback."""

    def __init__(self) -> None:
        self.waiting = threading.Event()
        """The function asked for its first event: its initialization is over."""
        self.user_agent = ""
        self._events: queue.Queue[Invocation | None] = queue.Queue()
        self._running: dict[str, Invocation] = {}
        self.closing = threading.Event()
        self.deadline = DEADLINE
        """Seconds that the next invocations may take."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # An adapter that is ended leaves broken connections.
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self.closing.set()
        self._events.put(None)
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()

    def invoke(self, event: Mapping[str, Any]) -> Invocation:
        """Hand an event to the function. Raises `EventTooLarge`."""
        data = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        if len(data) > LARGEST_EVENT:
            raise EventTooLarge(f"the event has {len(data)} bytes, Lambda takes {LARGEST_EVENT}")
        invocation = Invocation(data, time.time() + self.deadline)
        self._running[invocation.id] = invocation
        self._events.put(invocation)
        return invocation

    def next(self) -> Invocation | None:
        """The next event; None when this closes."""
        self.waiting.set()
        invocation = self._events.get()
        if invocation is None:
            self._events.put(None)
        return invocation

    def running(self, id: str) -> Invocation:
        return self._running.pop(id)


@contextlib.contextmanager
def runtime_api() -> Iterator[RuntimeApi]:
    """The stand-in, for the time of the block."""
    api = RuntimeApi()
    api.start()
    try:
        yield api
    finally:
        api.close()


def _handler(api: RuntimeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            if self.path == "/2018-06-01/runtime/invocation/next":
                api.user_agent = self.headers.get("user-agent", "")
                self._next()
            elif self.path == "/2020-01-01/extension/event/next":
                api.closing.wait()
                self._answer(200, {"eventType": "SHUTDOWN", "shutdownReason": "spindown", "deadlineMs": 0})
            else:
                self._answer(404, {})

        def do_POST(self) -> None:
            kind = self.path.rpartition("/")[2]
            if self.path == "/2020-01-01/extension/register":
                self._drain()
                named = {"functionName": "gateway", "functionVersion": "$LATEST", "handler": "run.sh"}
                self._answer(200, named, {"lambda-extension-identifier": str(uuid.uuid4())})
            elif self.path.startswith("/2018-06-01/runtime/invocation/") and kind in ("response", "error"):
                self._take(api.running(self.path.split("/")[-2]), kind)
                self._answer(202, {"status": "OK"})
            else:
                self._drain()
                self._answer(404, {})

        def _next(self) -> None:
            invocation = api.next()
            if invocation is None:
                self._answer(500, {})
                return
            self._answer(
                200,
                invocation.event,
                {
                    "lambda-runtime-aws-request-id": invocation.id,
                    "lambda-runtime-deadline-ms": str(int(invocation.deadline * 1000)),
                    "lambda-runtime-invoked-function-arn": _ARN,
                    "lambda-runtime-trace-id": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0",
                },
            )

        def _take(self, invocation: Invocation, kind: str) -> None:
            invocation.come(kind, {name.lower(): value for name, value in self.headers.items()})
            if self.headers.get("transfer-encoding", "").lower() != "chunked":
                invocation.add(self.rfile.read(int(self.headers.get("content-length") or 0)))
                invocation.end({})
                return
            self._acknowledge()
            while size := int(self.rfile.readline().split(b";")[0] or b"-1", 16):
                if size < 0:
                    invocation.end({}, broken=True)
                    return
                invocation.add(self.rfile.read(size))
                self.rfile.readline()
                self._acknowledge()
            trailers: dict[str, str] = {}
            while line := self.rfile.readline().strip().decode():
                name, _, value = line.partition(":")
                trailers[name.lower()] = value.strip()
            invocation.end(trailers)

        def _acknowledge(self) -> None:
            """At once: the adapter sends small pieces and waits for it, up to 40 ms."""
            if sys.platform == "linux":
                self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

        def _drain(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))

        def _answer(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            with contextlib.suppress(OSError):
                self.send_response(status)
                for name, value in {**(headers or {}), "content-length": str(len(data))}.items():
                    self.send_header(name, value)
                self.send_header("content-type", "application/json")
                self.end_headers()
                self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Tests look at the invocations."""

    return Handler
