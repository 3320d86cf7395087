"""A TGI that remembers what it was asked and gives one fixed answer: for what only a prompt can show."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.http_server import serving

MODEL_ID = "a-recorded/model"
ANSWER = "Mustard."
INFO = {
    "model_id": MODEL_ID,
    "model_sha": "0" * 40,
    "version": "3.3.6",
    "max_input_tokens": 4095,
    "max_total_tokens": 4096,
    "max_stop_sequences": 4,
    "max_best_of": 2,
}


class RecordingTgi:
    """Where it answers and what it was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[dict[str, Any]] = []
        """Bodies of `/generate` and `/generate_stream`, in order."""

    @property
    def inputs(self) -> str:
        """The prompt of the last generation."""
        return self.asked[-1]["inputs"]


@contextlib.contextmanager
def recording_tgi(info: dict[str, Any] | None = None) -> Iterator[RecordingTgi]:
    """Serve on a port of the OS's choice for the time of the block. `info={}` is a server that is no TGI."""
    said = INFO if info is None else info

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/health":
                return self._answer(200, {})
            return self._answer(200, said) if self.path == "/info" and said else self._answer(404, {})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if self.path == "/tokenize":
                return self._answer(200, [{"id": 5, "text": "a", "start": 0, "stop": 1}])
            tgi.asked.append(body)
            token = {"id": 7, "text": ANSWER, "logprob": -0.5, "special": False}
            details = {"finish_reason": "length", "generated_tokens": 1, "seed": None, "prefill": [], "tokens": [token]}
            if self.path == "/generate":
                return self._answer(200, {"generated_text": ANSWER, "details": details})
            event = {"index": 1, "token": token, "generated_text": ANSWER, "details": {**details, "input_length": 3}}
            self.close_connection = True
            return self._send(200, "text/event-stream", f"data:{json.dumps(event)}\n\n".encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: what was asked is in `asked`."""

        def _answer(self, status: int, value: object) -> None:
            self._send(status, "application/json", json.dumps(value).encode())

        def _send(self, status: int, kind: str, data: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(data)))
            self.send_header("x-prompt-tokens", "3")
            self.end_headers()
            self.wfile.write(data)

    with serving(Handler) as port:
        tgi = RecordingTgi(f"http://127.0.0.1:{port}")
        yield tgi
