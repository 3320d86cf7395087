"""A run's own service behind the gateway: it answers what a test scripts, step by step when that is wanted."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]


@dataclass
class Answer:
    """`pieces` are sent as chunks, one after the other as the iterable gives them; `body` goes with its length."""

    status: int = 200
    headers: Iterable[tuple[str, str]] = (("content-type", "text/plain"),)
    body: bytes = b""
    pieces: Iterable[bytes] | None = None
    breaks_off: bool = False


@dataclass
class Service:
    """What it was asked, and how it answers."""

    url: str
    asked: list[Asked] = field(default_factory=list[Asked])
    answers: Callable[[Asked], Answer] = lambda asked: Answer(body=b"ok")


@contextlib.contextmanager
def service() -> Iterator[Service]:
    """A service on loopback."""
    served = Service("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            asked = Asked(self.command, self.path, self.headers.items(), body)
            served.asked.append(asked)
            answer = served.answers(asked)
            self.send_response(answer.status)
            for name, value in answer.headers:
                self.send_header(name, value)
            if answer.pieces is not None:
                self.send_header("transfer-encoding", "chunked")
            elif answer.status not in (204, 304):
                self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            if answer.pieces is None:
                self.wfile.write(b"" if self.command == "HEAD" else answer.body)
                return
            for piece in answer.pieces:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            if answer.breaks_off:
                self.close_connection = True
            else:
                self.wfile.write(b"0\r\n\r\n")

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _any

        def log_message(self, format: str, *args: Any) -> None:
            """Tests look at `asked`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None
    served.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


class Steps:
    """Pieces that a test lets go one by one."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces
        self._allowed = threading.Semaphore(0)

    def go(self) -> None:
        """Let the next piece go."""
        self._allowed.release()

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if not self._allowed.acquire(timeout=30):
                raise TimeoutError("a test never let the next piece go")
            yield piece


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()
