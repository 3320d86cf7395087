"""A gateway and a service on loopback, in one small server, which break as they are told to."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from unittest import mock

from commands.smoke import arrivals, chat, long_stream
from commands.smoke.arrivals import Arrivals
from commands.smoke.target import Target
from infra.configuration import Secret
from tests.support.http_server import serving

MODEL = "m"
CHUNKS = 12
PACE = 0.01
"""Seconds between two chunks of a stream that is not buffered."""


@dataclass
class Broken:
    """What the server does wrong."""

    url: str = ""
    buffered: bool = False
    finish: str | None = "stop"
    """`None`: a stream breaks off."""
    content: str = "one, "
    models: tuple[str, ...] = (MODEL,)
    statuses: dict[str, int] = field(default_factory=dict)
    """By `METHOD path`, instead of what is right."""
    error: dict[str, Any] | None = None
    """The error of every answer of `statuses`."""
    shape: Any = None
    """The JSON of every answer of the OpenAI API, instead of what is right."""
    key: str | None = None
    """The only one that is accepted; `None`: any."""
    now: float = 0
    """The time by which chunks arrive, in seconds. Only streams move it."""
    read: threading.Semaphore = field(default_factory=threading.Semaphore)
    """Counts the chunks of the last stream that were read."""
    over: bool = False

    def monotonic(self) -> float:
        return self.now

    def arrivals(self) -> Arrivals:
        return Arrivals(began=self.now)

    def target(self, *, model: str | None = MODEL) -> Target:
        key = None if self.key is None else Secret(self.key)
        return Target(url=self.url, openai_base_url=f"{self.url}/v1", model=model, key=key, curl=None)


@contextmanager
def serve_broken(**how: Any) -> Generator[Broken]:
    broken = Broken(**how)
    note = Arrivals.note

    def noted(stream: Arrivals, text: str) -> None:
        note(stream, text)
        broken.read.release()

    with (
        mock.patch.object(arrivals, "time", broken),
        mock.patch.object(chat, "Arrivals", broken.arrivals),
        mock.patch.object(long_stream, "Arrivals", broken.arrivals),
        mock.patch.object(Arrivals, "note", noted),
        serving(_handler(broken)) as port,
    ):
        broken.url = f"http://127.0.0.1:{port}"
        try:
            yield broken
        finally:
            broken.over = True


def _handler(broken: Broken) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._handle({"/health": 200, "/": 200, "/v1/models": 200})

        do_HEAD = do_OPTIONS = do_GET

        def do_POST(self) -> None:
            self._handle({"/v1/chat/completions": 200, "/": 200})

        def _handle(self, routes: dict[str, int]) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            wanted = broken.statuses.get(f"{self.command} {self.path}")
            if wanted is not None:
                return self._answer(wanted, {"error": broken.error} if broken.error else None)
            if broken.key is not None and self.headers.get("authorization") != f"Bearer {broken.key}":
                return self._answer(401, {"error": {"code": "invalid_api_key", "message": "no"}})
            if broken.shape is not None and self.path.startswith("/v1/"):
                return self._answer(200, broken.shape)
            if self.path == "/v1/models":
                listed = [{"id": model, "object": "model", "created": 1, "owned_by": "x"} for model in broken.models]
                return self._answer(200, {"object": "list", "data": listed})
            if self.path == "/v1/chat/completions":
                return self._chat(json.loads(body))
            return self._answer(routes.get(self.path, 404), None)

        def _chat(self, request: dict[str, Any]) -> None:
            if request["model"] not in broken.models:
                return self._answer(404, {"error": {"code": "model_not_found", "message": "none such"}})
            if request.get("stream"):
                with contextlib.suppress(ConnectionError):  # a reader may leave
                    self._stream()
                return None
            message = {"role": "assistant", "content": broken.content}
            choice = {"index": 0, "message": message, "finish_reason": broken.finish}
            return self._answer(
                200, {"id": "1", "object": "chat.completion", "created": 1, "model": MODEL, "choices": [choice]}
            )

        def _stream(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("connection", "close")
            self.end_headers()
            read = broken.read = threading.Semaphore(0)
            for _ in range(CHUNKS):
                broken.now += PACE
                if not broken.buffered:
                    self._chunk({"content": broken.content}, None)
                    while not read.acquire(timeout=0.1):
                        if broken.over:  # a reader may leave
                            return
            if broken.buffered:
                for _ in range(CHUNKS):
                    self._chunk({"content": broken.content}, None)
            if broken.finish is not None:
                self._chunk({}, broken.finish)
                self.wfile.write(b"data: [DONE]\n\n")
            self.close_connection = True

        def _chunk(self, delta: dict[str, str], finish: str | None) -> None:
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            event = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": MODEL, "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
            self.wfile.flush()

        def _answer(self, status: int, body: Any) -> None:
            data = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            if status == 302:
                self.send_header("location", "http://127.0.0.1:9/elsewhere")
            if status != 204:
                self.send_header("content-length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    return Handler
