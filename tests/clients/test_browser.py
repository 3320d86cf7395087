"""A page of another origin in a real browser: it streams from the gateway with a key, and it reads an error."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.keys import ALL, secret
from tests.gateway.serving import Bench, read_events
from tests.support.requirements import chromium, require

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
SCRIPT = """
async function ask(path, key, options = {}) {
  try {
    const response = await fetch(GATEWAY + path, {
      ...options, headers: {"content-type": "application/json", "x-stainless-lang": "js", ...key}});
    const reader = response.body.getReader();
    let text = "", reads = 0;
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      text += new TextDecoder().decode(piece.value);
      reads += 1;
    }
    const id = response.headers.get("x-request-id");
    return {status: response.status, text, reads, id, wait: response.headers.get("retry-after")};
  } catch (problem) {
    return {status: 0, text: String(problem)};
  }
}
const post = fields => ({method: "POST", body: JSON.stringify({model: "m",
  messages: [{role: "user", content: "Hi"}], ...fields})});
(async () => {
  const bearer = {authorization: "Bearer " + KEY};
  const found = {
    streamed: await ask("/v1/chat/completions", bearer, post({stream: true})),
    whole: await ask("/v1/chat/completions", {"api-key": KEY}, post({})),
    refused: await ask("/v1/chat/completions", {authorization: "Bearer sk-wrong"}, post({})),
    wrong: await ask("/v1/chat/completions", bearer, post({n: "many"})),
    models: await ask("/v1/models", {"x-api-key": KEY}),
    run: await ask("/services/run/any", bearer, {method: "PUT", body: "{}"}),
    run_refused: await ask("/services/run/any", {}, {method: "PUT", body: "{}"}),
    own: await ask("/services/own/any", {}, {method: "PUT", body: "{}"}),
  };
  await fetch("/found", {method: "POST", body: JSON.stringify(found)});
})();
"""


class Pages(ThreadingHTTPServer):
    """Serves one page, and takes what it has found."""

    def __init__(self, script: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.page = f"<!doctype html><title>page</title><script>{script}</script>".encode()
        self.found: queue.Queue[Any] = queue.Queue()


class _Handler(BaseHTTPRequestHandler):
    server: Pages  # type: ignore[assignment]

    def do_GET(self) -> None:
        self._answer(self.server.page)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self._answer(b"")
        self.server.found.put(json.loads(body))

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def closed(bench: Bench) -> Bench:
    require("chromium")
    bench.register(
        bench.service(auth=True),
        bench.service("own", model=None),
        keys=(ALL,),
    )
    return bench


def in_browser(bench: Bench, folder: Path) -> dict[str, Any]:
    """What a page finds, whose origin is another than the gateway's because its port is."""
    script = f"const GATEWAY = {json.dumps(bench.url)}, KEY = {json.dumps(secret('all'))};{SCRIPT}"
    with Pages(script) as pages:
        threading.Thread(target=pages.serve_forever, daemon=True).start()
        program = chromium()
        assert program is not None
        page = f"http://127.0.0.1:{pages.server_port}/"
        command = [program, *FLAGS, f"--user-data-dir={folder}", "--remote-debugging-port=0", page]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as browser:
            try:
                return pages.found.get(timeout=500)
            finally:
                browser.terminate()
                browser.wait(30)
                pages.shutdown()


def test_a_page_streams_with_a_key_and_reads_errors(closed: Bench, tmp_path: Path) -> None:
    found = in_browser(closed, tmp_path / "profile")
    statuses = {name: answer["status"] for name, answer in found.items()}
    assert statuses == {
        "streamed": 200,
        "whole": 200,
        "refused": 401,
        "wrong": 400,
        "models": 200,
        "run": 200,
        "run_refused": 401,
        "own": 200,
    }
    events = read_events(found["streamed"]["text"])
    text = "".join(event["choices"][0]["delta"].get("content", "") for event in events[:-1])
    assert (text, events[-1]) == ("Hello world", "[DONE]")
    assert json.loads(found["whole"]["text"])["choices"][0]["message"]["content"] == "Hello world"
    assert json.loads(found["refused"]["text"])["error"]["code"] == "invalid_api_key"
    assert json.loads(found["wrong"]["text"])["error"]["param"] == "n"
    assert [model["id"] for model in json.loads(found["models"]["text"])["data"]] == ["m"]
    assert all(answer["id"].startswith("req_") for answer in found.values())


def test_no_page_reads_what_only_others_can(closed: Bench, tmp_path: Path) -> None:
    closed.serve(allowed_origins="https://app.example.com")
    found = in_browser(closed, tmp_path / "profile")
    assert {answer["text"] for answer in found.values()} == {"TypeError: Failed to fetch"}
