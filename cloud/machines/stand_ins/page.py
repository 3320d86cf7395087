"""A small server of pages, in place of whoami, nginx and images that nobody here knows."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cloud.machines.stand_ins import SETTINGS, published_port


def serve_page(name: str, arguments: Sequence[str]) -> None:
    """Serve until SIGTERM. whoami takes `--port N` or WHOAMI_PORT_NUMBER, and nginx listens on 80."""
    port = published_port() or 80
    if name == "nginx":
        port = 80
    if name == "whoami":
        port = int(os.environ.get("WHOAMI_PORT_NUMBER", "80"))
        for option, value in itertools.pairwise(arguments):
            port = int(value) if option in ("--port", "-port") else port
    text = _TEXTS.get(name, "This page stands in for the image {image}.\n").format(
        image=(SETTINGS / "image").read_text()
    )

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            self.rfile.read(length)
            asked = f"{self.command} {self.path} {self.request_version}\n{self.headers}".replace("\r\n", "\n")
            about = f"Hostname: {socket.gethostname()}\nRemoteAddr: {self.client_address[0]}\n{asked}"
            body = (about if name == "whoami" else text).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html" if name == "nginx" else "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Write no line for a request."""

    server = ThreadingHTTPServer(("0.0.0.0", port), Handler)  # noqa: S104 (the container's own network)

    def end(*_: object) -> None:
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, end)
    print(f"{name} listens on port {port}", flush=True)
    server.serve_forever(0.05)


_TEXTS = {"nginx": "<!DOCTYPE html>\n<title>Welcome to nginx!</title>\n<h1>Welcome to nginx!</h1>\n"}
