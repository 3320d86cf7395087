"""Whatever a caller writes wherever, a replica is sent one request, with what the gateway means to say, or none."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from gateway_lambda.adapter import behind_adapter
from gateway_lambda.app import make_app
from gateway_lambda.registry.file import FileRegistry
from gateway_lambda.settings import Settings
from tests.gateway.raw_upstream import RawUpstream
from tests.gateway.serving import Bench, Loop

SECOND = b"\r\n\r\nGET /stolen HTTP/1.1\r\nHost: locked.internal\r\n\r\n"
HOSTILE = {"a second request": SECOND, "a line": b"\r\nx-admin: 1", "a line feed": b"\nx-admin: 1", "zero": b"\0"}
USUAL: dict[str, Any] = {
    "type": "http",
    "method": "POST",
    "scheme": "http",
    "raw_path": b"/services/run/x",
    "query_string": b"q=1",
    "root_path": "/live",
    "client": ("203.0.113.7", 5),
    "headers": [
        (b"host", b"gateway.example.org"),
        (b"x-forwarded-for", b"198.51.100.1"),
        (b"authorization", b"Bearer own"),
        (b"content-type", b"text/plain"),
        (b"x-request-id", b"1"),
        (b"content-length", b"4"),
    ],
}
WRITTEN = (
    b"POST /x?q=1 HTTP/1.1\r\n"
    b"host: run.internal\r\n"
    b"authorization: Bearer own\r\n"
    b"content-type: text/plain\r\n"
    b"x-request-id: 1\r\n"
    b"x-forwarded-for: 198.51.100.1, 203.0.113.7\r\n"
    b"x-forwarded-host: gateway.example.org\r\n"
    b"x-forwarded-proto: http\r\n"
    b"x-forwarded-prefix: /live/services/run\r\n"
    b"content-length: 4\r\n"
    b"\r\nbody"
)


class Served:
    """The application, called as a server would whose parser lets everything through."""

    def __init__(self, loop: Loop, bench: Bench, upstream: RawUpstream) -> None:
        self.bench, self.upstream = bench, upstream
        self.loop = loop
        self.app = make_app(Settings(domain="example.org"), FileRegistry(str(bench.file)))

    def ask(self, *, adapter: bool = False, pieces: tuple[bytes, ...] = (b"body",), **scope: Any) -> tuple[int, bytes]:
        """The status and the body of the answer to a request, whose parts differ from the usual ones by `scope`."""
        sent: list[Any] = []
        left = list(pieces)

        async def receive() -> Any:
            if not left:
                await asyncio.Event().wait()
            return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

        async def send(message: Any) -> None:
            sent.append(message)

        app = behind_adapter(self.app) if adapter else self.app
        self.loop.run(asyncio.wait_for(app({**USUAL, **scope}, receive, send), 10))
        return sent[0]["status"], b"".join(message["body"] for message in sent[1:])

    def close(self) -> None:
        """End the connections, as a server does at its end."""

        async def receive() -> Any:
            return {"type": "lifespan.shutdown"}

        async def send(message: Any) -> None:
            await asyncio.sleep(0)

        self.loop.run(self.app({"type": "lifespan"}, receive, send))
        self.loop.run(self.upstream.stop())


@pytest.fixture
def served(loop: Loop, bench: Bench) -> Iterator[Served]:
    upstream = RawUpstream()
    loop.run(upstream.start())
    bench.register(
        bench.service("run", model=None, url=upstream.url, host="run.internal"),
        bench.service("locked", model=None, auth=True, url=upstream.url, host="locked.internal"),
        bench.service("chat", model="m", format="openai", url=upstream.url),
        bench.service("own-key", model="k", auth=True, format="openai", url=upstream.url, upstream_api_key="k\n"),
    )
    served = Served(loop, bench, upstream)
    yield served
    served.close()


def with_header(name: bytes, value: bytes) -> dict[str, Any]:
    """The usual request with this header in place of the one of that name, or beside them all."""
    return {"headers": [*(header for header in USUAL["headers"] if header[0] != name), (name, value)]}


def test_the_bytes_of_a_request_are_these(served: Served) -> None:
    assert served.ask() == (200, b"ok")
    assert served.upstream.requests == [WRITTEN]


def test_a_body_in_pieces_says_where_it_ends(served: Served) -> None:
    assert served.ask(pieces=(b"bo", b"dy")) == (200, b"ok")
    headers = [header for header in USUAL["headers"] if header[0] != b"content-length"]
    assert served.ask(pieces=(b"bo", b"dy"), headers=headers) == (200, b"ok")
    chunked = WRITTEN.replace(b"content-length: 4\r\n\r\nbody", b"transfer-encoding: chunked\r\n\r\n")
    assert served.upstream.requests == [WRITTEN + chunked + b"2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n"]


@pytest.mark.parametrize(
    "pieces", [(b"bo", b"dy" + SECOND), (b"bo", b"dy", SECOND), (b"bo", b""), (b"b", b"od")], ids=repr
)
def test_a_body_of_another_length_than_it_says_ends_its_connection(served: Served, pieces: tuple[bytes, ...]) -> None:
    status, body = served.ask(pieces=pieces)
    assert (status, json.loads(body)["error"]["code"]) == (502, "upstream_unreachable")
    assert served.ask() == (200, b"ok")
    first, second = served.upstream.requests
    assert WRITTEN.startswith(first)
    assert second == WRITTEN


PARTS: dict[str, Any] = {
    "path": lambda bad: {"raw_path": b"/services/run/x" + bad},
    "path of a host": lambda bad: {"raw_path": b"/x" + bad, **with_header(b"host", b"run.example.org")},
    "query": lambda bad: {"query_string": b"q=" + bad},
    "method": lambda bad: {"method": "PATCH" + bad.decode()},
    "scheme": lambda bad: {"scheme": "http" + bad.decode()},
    "root path": lambda bad: {"root_path": "/live" + bad.decode()},
    "client": lambda bad: {"client": ("203.0.113.7" + bad.decode(), 5)},
    "the name of a header": lambda bad: with_header(b"x-a" + bad, b"1"),
    **{
        name: lambda bad, name=name: with_header(name.encode(), b"v" + bad)
        for name in (
            "host",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-forwarded-prefix",
            "authorization",
            "content-type",
            "x-request-id",
            "accept",
            "cookie",
        )
    },
}


@pytest.mark.parametrize("bad", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_no_part_of_a_request_becomes_another_part_or_another_request(served: Served, part: Any, bad: bytes) -> None:
    assert served.ask() == (200, b"ok")
    status, body = served.ask(**part(bad))
    assert (status, json.loads(body)["error"]["code"]) == (400, "invalid_value")
    assert served.ask() == (200, b"ok")
    assert served.upstream.requests == [WRITTEN * 2]


def test_a_length_that_is_no_number_is_not_passed_on(served: Served) -> None:
    for bad in (b"4" + SECOND, b"-4", b"4, 4", b""):
        status, body = served.ask(pieces=(b"bo", b"dy"), **with_header(b"content-length", bad))
        assert (status, json.loads(body)["error"]["code"]) == (400, "invalid_value")
    assert served.upstream.requests == []


@pytest.mark.parametrize("bad", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize(
    "part", ["query", "scheme", "client", "the name of a header", "host", "x-forwarded-for", "content-type", "cookie"]
)
def test_nor_on_the_way_to_a_model(served: Served, part: str, bad: bytes) -> None:
    asked = {"raw_path": b"/v1/chat/completions", **PARTS[part](bad)}
    status, body = served.ask(pieces=(b'{"model": "m"}',), **asked)
    assert (status, json.loads(body)["error"]["code"]) == (400, "invalid_value")
    assert served.upstream.requests == []


CLIMBING = [
    "/..",
    "/../locked/x",
    "/%2e%2e/locked/x",
    "/%2E./locked/x",
    "/a/..%2flocked",
    "/a%2f..%2fb",
    "/..\\locked",
    "/a%5c..%5cb",
    "/%252e%252e/locked",
    "/%25252e%2525%32e/..%252f",
    "/..;/locked",
    "/..%3bx/locked",
    "/%0d%0aHost:%20locked.internal%0d%0a/%2e%2e/x",
]


@pytest.mark.parametrize("path", CLIMBING)
@pytest.mark.parametrize("host", ["run.example.org", "gateway.example.org", "127.0.0.1"])
def test_a_path_that_climbs_is_refused_at_every_address(served: Served, host: str, path: str) -> None:
    raw = path.encode() if host.startswith("run.") else b"/services/run" + path.encode()
    status, body = served.ask(raw_path=raw, **with_header(b"host", host.encode()))
    assert (status, json.loads(body)["error"]["code"]) == (400, "invalid_value")
    assert served.ask(raw_path=b"/v1" + path.encode(), **with_header(b"host", host.encode()))[0] == 400
    assert served.upstream.requests == []


@pytest.mark.parametrize(
    ("stage", "told", "prefix"),
    [
        ("live", "/live/services/run/x", b"/live/services/run"),
        ("live", "/services/run/x", b"/services/run"),
        ("services", "/services/run/x", b"/services/run"),
        ("live", "/%6cive/services/run/x", b"/live/services/run"),
        ("live", "/other/services/run/x", b"/services/run"),
        ("live", "/live/%0d%0ax-admin:1/services/run/x", b"/services/run"),
        ("live%0d%0ax-admin:1", "/live%0d%0ax-admin:1/services/run/x", b"/services/run"),
        ("live\r\nx-admin: 1", "/live\r\nx-admin: 1/services/run/x", b"/services/run"),
        ("", "//services/run/x", b"/services/run"),
        ("a/b", "/a/b/services/run/x", b"/services/run"),
    ],
)
def test_behind_the_adapter_the_prefix_is_the_stage_and_nothing_else(
    served: Served, stage: str, told: str, prefix: bytes
) -> None:
    context = json.dumps({"stage": stage, "path": told}).encode()
    assert served.ask(adapter=True, **with_header(b"x-amzn-request-context", context)) == (200, b"ok")
    without_client = WRITTEN.replace(b", 203.0.113.7", b"")
    assert served.upstream.requests == [without_client.replace(b"/live/services/run", prefix)]


@pytest.mark.parametrize("path", CLIMBING)
def test_behind_the_adapter_a_path_that_climbed_before_it_was_resolved_is_refused(served: Served, path: str) -> None:
    for told in (f"/live{path}/services/run/x", f"{path}/services/run/x", f"/live/services/run{path}"):
        context = json.dumps({"stage": "live", "path": told}).encode()
        status, body = served.ask(adapter=True, **with_header(b"x-amzn-request-context", context))
        assert (status, json.loads(body)["error"]["code"]) == (400, "invalid_value")
    assert served.upstream.requests == []


@pytest.mark.parametrize(
    "spoilt",
    [
        {"host": "run.internal\r\nx-admin: 1"},
        {"url": "http://127.0.0.1:1/\r\nx-admin:1"},
        {"url": ["http://127.0.0.1:1", "http://127.0.0.1:1 /x"]},
        {"url": "http://a..b"},
        {"model": {"name": "s", "format": "openai", "upstream_api_key": "k\r\nx-admin: 1"}},
        {"model": {"name": "s", "format": "openai", "prefix": "/v1 HTTP/1.1\r\nx-admin: 1\r\n"}},
    ],
    ids=str,
)
def test_a_record_that_says_more_than_it_may_is_left_out_and_the_others_serve(
    served: Served, spoilt: dict[str, Any]
) -> None:
    good = served.bench.registry["services"]
    served.bench.register({"run": "spoilt", "url": served.upstream.url, "auth": False, **spoilt}, *good)
    assert served.ask(raw_path=b"/services/spoilt/x")[0] == 404
    assert served.ask(raw_path=b"/v1/chat/completions", pieces=(b'{"model": "s"}',))[0] == 404
    assert served.ask() == (200, b"ok")
    assert served.upstream.requests == [WRITTEN]


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /services/run/a\tb HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /services/run/\xc3\xa9 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /services/run/x?\xc3\xa9 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /services/run/x HTTP/1.1\r\nHost: h\r\nx-a: 1\rx-b: 2\r\n\r\n",
        b"GET /services/run/x HTTP/1.1\r\nHost: h\r\nx-a: 1\n\r\n",
        b"GET /services/run/x HTTP/1.1\r\nHost: h\r\nx-a: 1\x00\r\n\r\n",
        b"GET /services/run/x HTTP/1.1\r\nHost: h\r\nx-a : 1\r\n\r\n",
        b"GET /services/run/x HTTP/1.1\r\nHost: h\r\nx-a: 1\r\n folded: 1\r\n\r\n",
        b"GET /services/run/x HTTP/1.1\r\nHost: h\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /services/run/../locked/x HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /services/run/%2e%2e/locked/x HTTP/1.1\r\nHost: run.example.org\r\n\r\n",
    ],
)
def test_over_http_what_no_request_may_hold_is_refused(served: Served, request_: bytes) -> None:
    served.bench.serve(domain="example.org")
    with socket.create_connection(("127.0.0.1", served.bench.port), timeout=10) as connection:
        connection.sendall(request_)
        assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")
    assert served.upstream.requests == []


def test_over_http_encoded_ends_of_lines_stay_encoded(served: Served) -> None:
    served.bench.serve(domain="example.org")
    with socket.create_connection(("127.0.0.1", served.bench.port), timeout=10) as connection:
        connection.sendall(
            b"GET /services/run/%0d%0ax?%0d%0a HTTP/1.1\r\nHost: h%0d%0a\r\nX-A: %0d%0a\xe9\r\nX-Forwarded-For: a\r\n"
            b"X-Forwarded-For: b\r\nConnection: x-gone\r\nX-Gone: 1\r\n\r\n"
        )
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert served.upstream.requests == [
        b"GET /%0d%0ax?%0d%0a HTTP/1.1\r\nhost: run.internal\r\nx-a: %0d%0a\xe9\r\nx-forwarded-for: a, b, 127.0.0.1\r\n"
        b"x-forwarded-host: h%0d%0a\r\nx-forwarded-proto: http\r\nx-forwarded-prefix: /services/run\r\n\r\n"
    ]
