"""A stand-in for DynamoDB that answers Queries with what a test put into it, and counts them."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.http_server import serving

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "ASIAQUITEANEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "a-secret-that-no-log-may-hold",
    "AWS_SESSION_TOKEN": "a-token-that-no-log-may-hold",
    "AWS_REGION": "eu-west-1",
}
"""What Lambda gives a function, without an endpoint."""


class Table:
    """Items, and what else a test can make of the answers."""

    def __init__(self) -> None:
        self.url = ""
        self.items: list[dict[str, Any]] = []
        self.page = 1000
        """Items an answer."""
        self.refusal: tuple[int, Mapping[str, str]] | None = None
        """Status and error of the next answers."""
        self.raw: bytes | None = None
        """The next answers' bodies, as they are."""
        self.go = threading.Event()
        """Answers wait for it."""
        self.go.set()
        self.asked: list[dict[str, Any]] = []
        self.headers: list[Mapping[str, str]] = []
        self.arrived = threading.Condition()
        self.open = self.most_at_once = 0
        """Questions that wait for their answers: now, and at most."""

    @property
    def environment(self) -> dict[str, str]:
        return {**ENVIRONMENT, "AWS_ENDPOINT_URL_DYNAMODB": self.url}

    def put_run(self, run: str, **fields: Any) -> None:
        """A run's item; its record is JSON text, as a stack writes it."""
        self.drop(f"run#{run}")
        record = {"run": run, "auth": False, **fields}
        self.put(f"run#{run}", record={"S": json.dumps(record)})

    def put(self, sort_key: str, **attributes: Any) -> None:
        self.items.append({"pk": {"S": "registry"}, "sk": {"S": sort_key}, **attributes})

    def put_state(self, run: str, instance: str, **attributes: Any) -> None:
        """A state item that a replica wrote just now; it has two hours to live."""
        now = str(int(time.time()))
        usual = {"at": {"N": now}, "ttl": {"N": str(int(now) + 7200)}, "final": {"BOOL": False}}
        self.items.append({"pk": {"S": f"state#{run}"}, "sk": {"S": instance}, **usual, **attributes})

    def put_serving(self, run: str, instance: str, **figures: Any) -> None:
        """The state item of a replica that serves and wrote these figures just now."""
        at = {"N": str(int(time.time()))}
        self.put_state(run, instance, step={"S": "serving"}, figures={"S": json.dumps(figures)}, figures_at=at)

    def drop(self, sort_key: str) -> None:
        self.items = [item for item in self.items if item["sk"]["S"] != sort_key]

    def answer(self, asked: dict[str, Any]) -> tuple[int, bytes]:
        if self.refusal is not None:
            return self.refusal[0], json.dumps(self.refusal[1]).encode()
        if self.raw is not None:
            return 200, self.raw
        after = asked.get("ExclusiveStartKey", {}).get("sk", {}).get("S", "")
        partition = asked.get("ExpressionAttributeValues", {}).get(":pk")
        here = [item for item in self.items if item["pk"] == partition]
        left = [item for item in sorted(here, key=_sort_key) if _sort_key(item) > after]
        found: dict[str, Any] = {"Items": left[: self.page], "Count": len(left[: self.page]), "ScannedCount": len(left)}
        if len(left) > self.page:
            found["LastEvaluatedKey"] = {name: left[self.page - 1][name] for name in ("pk", "sk")}
        return 200, json.dumps(found).encode()

    def note(self, headers: Mapping[str, str], asked: dict[str, Any]) -> None:
        with self.arrived:
            self.headers.append(headers)
            self.asked.append(asked)
            self.open += 1
            self.most_at_once = max(self.most_at_once, self.open)
            self.arrived.notify_all()

    def done(self) -> None:
        with self.arrived:
            self.open -= 1


@contextlib.contextmanager
def scripted_dynamodb(tls: ssl.SSLContext | None = None) -> Iterator[Table]:
    """A table that is served on loopback."""
    table = Table()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            table.note({name.lower(): value for name, value in self.headers.items()}, asked)
            table.go.wait(30)
            status, body = table.answer(asked)
            table.done()
            with contextlib.suppress(OSError):
                self.send_response(status)
                self.send_header("content-type", "application/x-amz-json-1.0")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Tests look at what was asked."""

    with serving(Handler, tls=tls) as port:
        table.url = f"{'http' if tls is None else 'https'}://localhost:{port}"
        try:
            yield table
        finally:
            table.go.set()


def _sort_key(item: Mapping[str, Any]) -> str:
    return item["sk"]["S"]
