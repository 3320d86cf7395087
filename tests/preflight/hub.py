"""The questions about a model that the plan and preflight ask the Hub, answered on loopback as huggingface.co answers
them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

from tests.support.http_server import serving

TOKEN = "hf_AGoodTokenOfSomebody"
OTHER_TOKEN = "hf_AnotherGoodTokenWithoutAccess"


@dataclass
class Model:
    """What the Hub says of a repository."""

    info: dict[str, Any]
    gated: bool = False
    config: object = None
    """Its `config.json`; `None`: it has none."""


@dataclass
class Hub:
    """The models that there are."""

    url: str = ""
    models: dict[str, Model] = field(default_factory=dict)
    failures: list[int] = field(default_factory=list)
    """Statuses that the next requests get, whatever they ask; 0: no answer; -1: one that comes byte by byte."""
    pages: dict[str, bytes] = field(default_factory=dict)
    """What is answered about a model instead, with status 200."""
    without_checks: bool = False
    """Whether it is a Hub of somebody's own, which does not know the question about access."""
    released: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)


@contextmanager
def serve_hub() -> Iterator[Hub]:
    hub = Hub()
    with serving(_handler(hub)) as port:
        hub.url = f"http://127.0.0.1:{port}"
        try:
            yield hub
        finally:
            hub.released.set()


def safetensors(**parameters: int) -> dict[str, Any]:
    """What the Hub says of plain weights: how many parameters of which type."""
    return {"safetensors": {"parameters": parameters, "total": sum(parameters.values())}, "siblings": []}


def with_config(info: dict[str, Any]) -> dict[str, Any]:
    """The same of a repository that has a `config.json` too."""
    return {**info, "siblings": [*info["siblings"], {"rfilename": "config.json", "size": 700}]}


def files(config: dict[str, Any] | None = None, **sizes: int) -> dict[str, Any]:
    """What it says of weights that have files alone; `_` of a name stands for its last dot."""
    siblings = [{"rfilename": ".".join(name.rsplit("_", 1)), "size": size} for name, size in sizes.items()]
    return {"siblings": siblings, "config": config or {}}


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            address = urlsplit(self.path)
            hub.asked.append(self.path)
            token = (self.headers.get("authorization") or "").removeprefix("Bearer ") or None
            failure = hub.failures.pop(0) if hub.failures else None
            if failure == 0:
                hub.released.wait(30)
                self.close_connection = True
                return None
            if failure == -1:
                return self._drip()
            if failure is not None:
                return self._send(failure, {})
            if token not in (None, TOKEN, OTHER_TOKEN):
                return self._send(401, {}, {"X-Error-Message": "Invalid credentials in Authorization header"})
            if "/resolve/" in address.path:
                return self._config(address.path.strip("/").partition("/resolve/")[0], token)
            name, _, question = address.path.removeprefix("/api/models/").partition("/auth-check")
            checks = address.path.endswith("/auth-check")
            name, _, revision = name.partition("/revision/")
            model = hub.models.get(name)
            if checks and hub.without_checks:
                return self._send(404, {})
            if not checks and name in hub.pages:
                return self._send(200, hub.pages[name])
            if revision and revision != "v1":
                return self._send(404, {}, {"X-Error-Code": "RevisionNotFound"})
            if model is None or question:
                return self._send(401 if token is None else 404, {}, {"X-Error-Code": "RepoNotFound"})
            if checks and model.gated and token != TOKEN:
                return self._send(401 if token is None else 403, {}, {"X-Error-Code": "GatedRepo"})
            return self._send(200, {} if checks else {"id": name, "sha": "0" * 40, **model.info})

        def _config(self, name: str, token: str | None) -> None:
            model = hub.models[name]
            if model.gated and token != TOKEN:
                return self._send(401 if token is None else 403, {}, {"X-Error-Code": "GatedRepo"})
            return self._send(200, model.config)

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

        def _drip(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.close_connection = True
            with suppress(OSError):
                while not hub.released.wait(0.05):
                    self.wfile.write(b" ")

        def _send(self, status: int, value: object, headers: dict[str, str] | None = None) -> None:
            body = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            for header, text in {"Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(header, text)
            self.end_headers()
            self.wfile.write(body)

    return Handler
