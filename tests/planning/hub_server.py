"""A small Hub on loopback: the calls that huggingface_hub makes for files, answered as huggingface.co answers them."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote, urlsplit

from tests.support.http_server import serving

SHA = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_AGoodTokenOfSomebody"


@dataclass
class Repository:
    """A model repository. `gated` wants a token that was granted access; `private` hides it from everyone else."""

    files: dict[str, bytes]
    sha: str = SHA
    gated: bool = False
    private: bool = False
    granted: tuple[str, ...] = (TOKEN,)


@dataclass
class Hub:
    """What the server holds and what it was asked."""

    url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    failures: list[int] = field(default_factory=list)
    """Statuses that the next requests get, whatever they ask; -1 closes the connection, 0 never answers."""
    pages: dict[str, bytes] = field(default_factory=dict)
    """What is answered at a path instead, with status 200."""
    requests: list[str] = field(default_factory=list)
    """Method and path of each request."""
    tokens: set[str | None] = field(default_factory=set)
    known_tokens: tuple[str, ...] = (TOKEN, "hf_known", "hf_forbidden")
    cut_after: int | None = None
    """Bytes of the next file, before the connection breaks off."""
    asked: threading.Event = field(default_factory=threading.Event)
    """Set with the first request."""
    released: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serve_hub() -> Iterator[Hub]:
    hub = Hub()
    with serving(_handler(hub)) as port:
        hub.url = f"http://127.0.0.1:{port}"
        try:
            yield hub
        finally:
            hub.released.set()


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        def do_HEAD(self) -> None:
            self._answer()

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing: pytest's output is for tests."""

        def _answer(self) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.requests.append(f"{self.command} {path}")
            hub.asked.set()
            authorization = self.headers.get("authorization")
            token = authorization.removeprefix("Bearer ") if authorization else None
            hub.tokens.add(token)
            failure = hub.failures.pop(0) if hub.failures else None
            if failure == 0:
                hub.released.wait(30)
            if failure in (-1, 0):
                self.close_connection = True
                return
            if failure is not None:
                self._send(failure, b"{}")
                return
            if path in hub.pages:
                self._send(200, hub.pages[path])
                return
            if token is not None and token not in hub.known_tokens:
                message = "Invalid credentials in Authorization header"
                self._send(401, b"{}", {"X-Error-Message": message})
                return
            if token == "hf_forbidden":
                self._send(403, b"{}", {"X-Error-Message": "no permission"})
                return
            if path.startswith("/api/models/"):
                self._info(path.removeprefix("/api/models/"), token)
            else:
                self._file(path.removeprefix("/"), token)

        def _info(self, rest: str, token: str | None) -> None:
            name, _, revision = rest.partition("/revision/")
            repository = self._found(name, token)
            if repository is None:
                return
            if revision not in ("", "main", repository.sha):
                self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
                return
            siblings = [{"rfilename": file} for file in sorted(repository.files)]
            self._send(200, json.dumps({"id": name, "sha": repository.sha, "siblings": siblings}).encode())

        def _file(self, rest: str, token: str | None) -> None:
            name, _, tail = rest.partition("/resolve/")
            repository = self._found(name, token)
            if repository is None:
                return
            if repository.gated and token not in repository.granted:
                self._send(401 if token is None else 403, b"{}", {"X-Error-Code": "GatedRepo"})
                return
            contents = repository.files.get(tail.partition("/")[2])
            if contents is None:
                self._send(404, b"{}", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": repository.sha})
                return
            digest = hashlib.sha256(contents).hexdigest()
            headers = {"ETag": f'"{digest}"', "X-Repo-Commit": repository.sha}
            asked = self.headers.get("range", "")
            start = int(asked.removeprefix("bytes=").rstrip("-") or 0) if self.command == "GET" else 0
            if start:
                headers["Content-Range"] = f"bytes {start}-{len(contents) - 1}/{len(contents)}"
                hub.requests[-1] += f" {asked}"
            self._send(206 if start else 200, contents[start:], headers)

        def _found(self, name: str, token: str | None) -> Repository | None:
            """As the Hub: who sends no token is told 401 of what is not there, others 404."""
            repository = hub.repositories.get(name)
            if repository is None or (repository.private and token not in repository.granted):
                self._send(401 if token is None else 404, b"{}", {"X-Error-Code": "RepoNotFound"})
                return None
            return repository

        def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "HEAD":
                return
            if hub.cut_after is not None and len(body) > hub.cut_after:
                body, hub.cut_after = body[: hub.cut_after], None
                self.close_connection = True
            self.wfile.write(body)

    return Handler
