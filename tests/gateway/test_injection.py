"""Whatever a caller writes wherever, a replica is sent one request, with what the gateway means to say, or none."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.gateway.serving import Bench, Loop
from tests.gateway.unguarded import SECOND, USUAL, WRITTEN, Unguarded, unguarded, with_header

HOSTILE = {"a second request": SECOND, "a line": b"\r\nx-admin: 1", "a line feed": b"\nx-admin: 1", "zero": b"\0"}


@pytest.fixture
def served(loop: Loop, bench: Bench) -> Iterator[Unguarded]:
    with unguarded(loop, bench) as served:
        yield served


def test_the_bytes_of_a_request_are_these(served: Unguarded) -> None:
    assert served.ask() == (200, b"ok")
    assert served.upstream.requests == [WRITTEN]


def test_a_body_in_pieces_says_where_it_ends(served: Unguarded) -> None:
    assert served.ask(pieces=(b"bo", b"dy")) == (200, b"ok")
    headers = [header for header in USUAL["headers"] if header[0] != b"content-length"]
    assert served.ask(pieces=(b"bo", b"dy"), headers=headers) == (200, b"ok")
    chunked = WRITTEN.replace(b"content-length: 4\r\n\r\nbody", b"transfer-encoding: chunked\r\n\r\n")
    assert served.upstream.requests == [WRITTEN + chunked + b"2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n"]


@pytest.mark.parametrize(
    "pieces", [(b"bo", b"dy" + SECOND), (b"bo", b"dy", SECOND), (b"bo", b""), (b"b", b"od")], ids=repr
)
def test_a_body_of_another_length_ends_its_connection(served: Unguarded, pieces: tuple[bytes, ...]) -> None:
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
def test_no_part_of_a_request_becomes_another_part_or_another_request(served: Unguarded, part: Any, bad: bytes) -> None:
    assert served.ask() == (200, b"ok")
    status, body = served.ask(**part(bad))
    assert (status, json.loads(body)["error"]["code"]) == (400, "invalid_value")
    assert served.ask() == (200, b"ok")
    assert served.upstream.requests == [WRITTEN * 2]


def test_a_length_that_is_no_number_is_not_passed_on(served: Unguarded) -> None:
    for bad in (b"4" + SECOND, b"-4", b"4, 4", b""):
        status, body = served.ask(pieces=(b"bo", b"dy"), **with_header(b"content-length", bad))
        assert (status, json.loads(body)["error"]["code"]) == (400, "invalid_value")
    assert served.upstream.requests == []


@pytest.mark.parametrize("bad", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize(
    "part", ["query", "scheme", "client", "the name of a header", "host", "x-forwarded-for", "content-type", "cookie"]
)
def test_nor_on_the_way_to_a_model(served: Unguarded, part: str, bad: bytes) -> None:
    asked = {"raw_path": b"/v1/chat/completions", **PARTS[part](bad)}
    status, body = served.ask(pieces=(b'{"model": "m"}',), **asked)
    assert (status, json.loads(body)["error"]["code"]) == (400, "invalid_value")
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
    served: Unguarded, stage: str, told: str, prefix: bytes
) -> None:
    context = json.dumps({"stage": stage, "path": told}).encode()
    assert served.ask(adapter=True, **with_header(b"x-amzn-request-context", context)) == (200, b"ok")
    without_client = WRITTEN.replace(b", 203.0.113.7", b"")
    assert served.upstream.requests == [without_client.replace(b"/live/services/run", prefix)]


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
    served: Unguarded, spoilt: dict[str, Any]
) -> None:
    good = served.bench.registry["services"]
    served.bench.register({"run": "spoilt", "url": served.upstream.url, "auth": False, **spoilt}, *good)
    assert served.ask(raw_path=b"/services/spoilt/x") == served.ask(raw_path=b"/services/unknown/x")
    assert served.ask(raw_path=b"/v1/chat/completions", pieces=(b'{"model": "s"}',)) == served.ask(
        raw_path=b"/v1/chat/completions", pieces=(b'{"model": "unknown"}',)
    )
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
def test_over_http_what_no_request_may_hold_is_refused(served: Unguarded, request_: bytes) -> None:
    served.bench.serve(domain="example.org")
    with socket.create_connection(("127.0.0.1", served.bench.port), timeout=10) as connection:
        connection.sendall(request_)
        assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")
    assert served.upstream.requests == []


def test_over_http_encoded_ends_of_lines_stay_encoded(served: Unguarded) -> None:
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
