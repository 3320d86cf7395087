#!/usr/bin/python3
"""A server of numbered lines, for tests. It has only Python's standard library.

GET /health                 200; /health/slow answers after 3 s
GET /environment            the variables, as JSON, with their bytes in hexadecimal
GET /stream?lines=N&pause=S N numbered lines, one every S seconds
GET /file?path=P            the file's content
GET /metrics                vLLM's metrics: how many streams there are now, and how many lines they sent
POST /exit?status=N         the process ends
POST /hang                  from now on, no request gets an answer

At SIGTERM it accepts no more connections, and ends when the answers that it is sending are complete.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

METRICS = """\
vllm:num_requests_running{{engine="0"}} {running}.0
vllm:num_requests_waiting{{engine="0"}} 0.0
vllm:generation_tokens_total{{engine="0"}} {tokens}.0
"""

hanging = threading.Event()
streams: set[threading.Thread] = set()
sent: list[int] = []
"""The lines of all streams. Appending needs no lock."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"  # each answer ends its connection

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if hanging.is_set():
            threading.Event().wait()
        if url.path == "/health":
            self.send(b"ok")
        elif url.path == "/environment":
            self.send(json.dumps({name.decode(): value.hex() for name, value in os.environb.items()}).encode())
        elif url.path == "/file":
            self.send(Path(query["path"]).read_bytes())
        elif url.path == "/stream":
            self.stream(int(query["lines"]), float(query["pause"]))
        elif url.path == "/metrics":
            self.send(METRICS.format(running=len(streams), tokens=len(sent)).encode())
        elif url.path == "/exit":
            self.send(b"ending")
            threading.Timer(0.5, os._exit, [int(query["status"])]).start()
        elif url.path == "/hang":
            self.send(b"hanging")
            hanging.set()
        else:
            self.send(b"", 404)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Write no line for a request."""

    def send(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, lines: int, pause: float) -> None:
        self.send_response(200)
        self.end_headers()
        streams.add(threading.current_thread())
        for number in range(1, lines + 1):
            self.wfile.write(b"%d\n" % number)
            self.wfile.flush()
            sent.append(number)
            time.sleep(pause)
        streams.discard(threading.current_thread())


class Server(ThreadingHTTPServer):
    daemon_threads = False  # the process waits for answers that are being sent


def main(port: int = 80) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="0.0.0.0")  # noqa: S104 (the container's own network)
    parser.add_argument("--port", type=int, default=port)
    parser.add_argument("--says", default="listening")
    parser.add_argument("--exit", type=int, help="say it, and end with this status instead of serving")
    options = parser.parse_args()
    print(options.says, flush=True)
    if options.exit is not None:
        raise SystemExit(options.exit)
    server = Server((options.host, options.port), Handler)

    def end(*_: object) -> None:
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, end)
    server.serve_forever(0.05)
    server.server_close()  # waits for the threads
    print("ended", flush=True)


if __name__ == "__main__":
    main()
