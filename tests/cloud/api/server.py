"""A function's web server for tests: it says what version it is, waits, counts bytes, and ends."""

import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

VERSION = os.environ.get("VERSION", "code")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        what, _, rest = unquote(self.path.partition("?")[0]).strip("/").partition("/")
        self.rfile.read(int(self.headers.get("content-length") or 0))
        if what == "end":
            os._exit(3)
        if what == "say":
            print(rest, flush=True)
        if what in ("wait", "silent"):
            self._wait(Path("/" + rest), early=what == "wait")
            return
        body = f"{VERSION} {os.getpid()}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def _wait(self, file, early):
        """Say one, then two once the file is there; `early`: say one before."""
        file.with_suffix(".asked").touch()
        if early:
            self._start()
        while not file.exists():
            time.sleep(0.01)
        if not early:
            self._start()
        self.wfile.write(b"3\r\ntwo\r\n0\r\n\r\n")

    def _start(self):
        self.send_response(200)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"3\r\none\r\n")

    def log_message(self, *arguments):
        pass


if VERSION == "broken":
    sys.exit("this version does not start")
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
