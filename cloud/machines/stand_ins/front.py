"""What a model server has around its API: its own path for health checks, its metrics, its count of requests."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from cloud.machines.stand_ins import SETTINGS
from infra.planning.servers import Server
from local.model_server.application import Application
from local.model_server.http import Message, Receive, Send
from local.model_server.llama_settings import SLOTS

_TOKENS = re.compile(rb'"completion_tokens": ?([0-9]+)')


class Front:
    """An ASGI application before those of a server. `apps`: by the path that they begin with, the longest first."""

    def __init__(self, server: Server, apps: Mapping[str, Application], *, own_metrics: bool) -> None:
        self.apps = apps
        self._server = server
        self._metrics = None if own_metrics else server.metrics
        self._running = self._requests = self._tokens = 0
        self._file = os.open(SETTINGS / "running", os.O_WRONLY)
        self._tell()

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """ASGI."""
        path: str = scope["path"]
        if scope["method"] in ("GET", "HEAD"):
            if self._metrics is not None and path == self._metrics.path:
                await _respond(send, self._text().encode())
                return
            if path == self._server.health and path != "/":
                scope = {**scope, "path": "/health"}
        app = next(app for prefix, app in self.apps.items() if path.startswith(prefix))
        if scope["method"] != "POST":
            await app(scope, receive, send)
            return

        async def counted(message: Message) -> None:
            self._count(message.get("body", b""))
            await send(message)

        self._running += 1
        self._tell()
        try:
            await app(scope, receive, counted)
            self._requests += 1
        finally:
            self._running -= 1
            self._tell()

    def _count(self, body: bytes) -> None:
        """Count tokens: a part of a stream is one, and a whole answer says how many it has."""
        whole = _TOKENS.search(body)
        self._tokens += int(whole[1]) if whole and not body.startswith(b"data:") else body.startswith(b"data:")

    def _tell(self) -> None:
        os.pwrite(self._file, f"{self._running:<6}".encode(), 0)

    def _text(self) -> str:
        metrics = self._metrics
        if metrics is None:
            return ""
        values = {
            metrics.running: min(self._running, SLOTS),
            metrics.waiting: max(self._running - SLOTS, 0),
            metrics.requests: self._requests,
            metrics.tokens: self._tokens,
        }
        return "".join(f"{name} {value}.0\n" for name, value in values.items() if name is not None)


async def _respond(send: Send, body: bytes) -> None:
    headers = [(b"content-type", b"text/plain; version=0.0.4"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
