"""A run's own service, by path and by Host: whatever comes goes through, both ways."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import httpx
import pytest

from tests.gateway.keys import ALL, ONE_RUN, secret
from tests.gateway.scripted_tgi import Asked, Hangup, Script, Write, broken_stream, reply, stream
from tests.gateway.serving import Bench


@pytest.fixture
def served(bench: Bench) -> Bench:
    bench.register(
        bench.service(model=None),
        bench.service("closed", model=None, auth=True, host="closed.internal"),
        bench.service("own-key", auth=True, upstream_api_key="tgi-key"),
        keys=(ALL, ONE_RUN),
    )
    bench.serve(domain="example.com")
    return bench


def exchange(bench: Bench, request: bytes) -> bytes:
    """Send bytes as they are; what comes back until the connection closes or the response is complete."""
    with socket.create_connection(("127.0.0.1", bench.port), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR) if b"connection: close" in request else None
        found = b""
        while piece := connection.recv(65536):
            found += piece
            head, _, body = found.partition(b"\r\n\r\n")
            length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            if length and len(body) >= int(length[0].split(b":")[1]):
                break
        return found


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_method_path_query_and_body_goes_through(served: Bench, method: str) -> None:
    served.tgi.usual = reply(201, "made", "text/plain", **{"x-own": "yes", "set-cookie": "a=b"})
    path = "/a%2Fb//c/%e2%82%ac;x=1?q=%20&q=a+b&empty="
    body = b"\x00\xff body"
    response = httpx.request(method, f"{served.url}/services/run{path}", content=body, headers={"x-mine": "é".encode()})
    assert (response.status_code, response.text) == (201, "made")
    assert (response.headers["x-own"], response.headers["set-cookie"]) == ("yes", "a=b")
    assert response.headers["x-request-id"]
    asked = served.tgi.asked[-1]
    assert (asked.method, asked.path, asked.body) == (method, path, body)
    assert asked.header("x-mine") == "é".encode().decode("latin-1")


@pytest.mark.parametrize(("method", "length"), [("GET", []), ("HEAD", []), ("DELETE", []), ("POST", ["0"])])
def test_a_body_that_is_none_has_a_length_only_where_one_is_expected(
    served: Bench, method: str, length: list[str]
) -> None:
    """A load balancer that mitigates desync strictest answers 400 to a GET with a length, be it 0."""
    request = f"{method} /services/run/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    exchange(served, request.encode())
    asked = served.tgi.asked[-1]
    assert (asked.method, [value for name, value in asked.headers if name == "content-length"]) == (method, length)
    assert asked.header("transfer-encoding") is None


def test_the_host_names_the_run_and_the_whole_path_is_its_own(served: Bench) -> None:
    for host in ("run.example.com", "RUN.Example.COM:8443", "run.example.com."):
        httpx.post(f"{served.url}/services/closed/x", headers={"host": host}, content=b"{}")
        assert served.tgi.asked[-1].path == "/services/closed/x"
    httpx.get(f"{served.url}/v1/models", headers={"host": "run.example.com"})
    assert served.tgi.asked[-1].path == "/v1/models"


def test_the_path_form_works_on_every_other_host(served: Bench) -> None:
    for host in ("gateway.example.com", "127.0.0.1", "abc.execute-api.eu-west-1.amazonaws.com", "example.com"):
        assert httpx.get(f"{served.url}/services/run/x?y=1", headers={"host": host}).status_code == 200
        assert served.tgi.asked[-1].path == "/x?y=1"
    assert httpx.get(f"{served.url}/services/run").status_code == 200
    assert served.tgi.asked[-1].path == "/"


@pytest.mark.parametrize(
    ("path", "host", "status", "code"),
    [
        ("/services/nobody/x", "localhost", 401, "invalid_api_key"),
        ("/services/", "localhost", 401, "invalid_api_key"),
        ("/services", "localhost", 404, "not_found"),
        ("/services//x", "localhost", 401, "invalid_api_key"),
        ("/services/run%2Fx", "localhost", 401, "invalid_api_key"),
        ("/services%2Frun/x", "localhost", 404, "not_found"),
        ("/services/../services/run/x", "localhost", 400, "invalid_value"),
        ("/a/../b", "run.example.com", 400, "invalid_value"),
        ("/services/run/../closed/x", "localhost", 400, "invalid_value"),
        ("/services/run/%2e%2E/closed/x", "localhost", 400, "invalid_value"),
        ("/services/run/..%2fclosed/x", "localhost", 400, "invalid_value"),
        ("/services/run/a/..\\..\\b", "localhost", 400, "invalid_value"),
        ("/x", "nobody.example.com", 401, "invalid_api_key"),
        ("/x", "a.run.example.com", 401, "invalid_api_key"),
        ("/x", "services.example.com", 401, "invalid_api_key"),
        ("/x", "gateway.evil", 404, "not_found"),
        ("/x", "run.evil", 404, "not_found"),
        ("/x", "run.example.com.evil", 404, "not_found"),
        ("/x", "runexample.com", 404, "not_found"),
    ],
)
def test_what_names_no_run_is_refused_and_reaches_nobody(
    served: Bench, path: str, host: str, status: int, code: str
) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    found = exchange(served, request)
    assert found.startswith(b"HTTP/1.1 %d " % status)
    assert b'"code":"%s"' % code.encode() in found
    assert served.tgi.asked == []


def test_dots_that_climb_nowhere_go_through_untouched(served: Bench) -> None:
    for path in (
        "/a..b/.../x",
        "/./x",
        "/.well-known/x",
        "/a%2eb",
        "/x..",
        "/..x",
        "/x%2f..%2ex",
        "/%252f.%252f",
        "/x?../..",
    ):
        exchange(served, f"GET /services/run{path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert served.tgi.asked[-1].path == path


def test_a_run_that_keeps_its_prefix_gets_the_whole_path(bench: Bench) -> None:
    bench.register(bench.service(model=None) | {"strip_prefix": False})
    bench.serve(domain="example.com")
    for path in ("/services/run/a%2Fb?q=%20", "/services/run/"):
        httpx.get(f"{bench.url}{path}")
        asked = bench.tgi.asked[-1]
        assert (asked.path, asked.header("x-forwarded-prefix")) == (path, None)
    httpx.get(f"{bench.url}/services/run")
    assert bench.tgi.asked[-1].path == "/services/run/"
    httpx.get(f"{bench.url}/a", headers={"host": "run.example.com"})
    assert bench.tgi.asked[-1].path == "/a"


def test_two_hosts_are_refused(served: Bench) -> None:
    found = exchange(served, b"GET / HTTP/1.1\r\nHost: run.example.com\r\nHost: closed.example.com\r\n\r\n")
    assert found.startswith(b"HTTP/1.1 400 ")
    assert served.tgi.asked == []


def test_an_absolute_uri_is_served_by_its_host_header_and_sent_nowhere_else(served: Bench) -> None:
    exchange(served, b"GET http://evil.example.org/p?q=1 HTTP/1.1\r\nHost: run.example.com\r\n\r\n")
    assert served.tgi.asked[-1].path == "/p?q=1"
    assert "evil" not in str(served.tgi.asked[-1].headers)


def test_headers_of_one_connection_are_dropped_both_ways(served: Bench) -> None:
    served.tgi.usual = reply(
        200,
        "x",
        "text/plain",
        **{"connection": "keep-alive, X-Up", "x-up": "1", "keep-alive": "timeout=5", "x-kept": "1"},
    )
    found = exchange(
        served,
        b"POST /services/run/x HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, X-Mine\r\nX-Mine: 1\r\n"
        b"Keep-Alive: 5\r\nTE: trailers\r\nTrailer: x\r\nProxy-Authorization: Basic x\r\nProxy-Connection: close\r\n"
        b"Upgrade: h2c\r\nX-Kept: 1\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: https\r\n"
        b"Content-Length: 2\r\n\r\nhi",
    )
    assert served.tgi.asked[-1].headers == [
        ("host", served.tgi.url.removeprefix("http://")),
        ("x-kept", "1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-for", "10.0.0.1, 127.0.0.1"),
        ("x-forwarded-host", "localhost"),
        ("x-forwarded-prefix", "/services/run"),
        ("content-length", "2"),
    ]
    head = found.partition(b"\r\n\r\n")[0].lower()
    assert b"x-kept: 1" in head
    assert b"x-up" not in head
    assert b"keep-alive" not in head


def test_a_runs_key_is_asked_for_and_ends_at_the_gateway(served: Bench) -> None:
    url = f"{served.url}/services/closed/x"
    assert httpx.get(url).status_code == 401
    assert httpx.get(url, headers={"authorization": "Bearer nobody's"}).status_code == 401
    assert httpx.get(url, headers={"authorization": f"Bearer {secret('one')}"}).status_code == 404
    assert served.tgi.asked == []
    assert httpx.get(url, headers={"authorization": f"Bearer {secret('all')}"}).status_code == 200
    assert served.tgi.asked[-1].header("authorization") is None
    assert served.tgi.asked[-1].header("host") == "closed.internal"


def test_an_upstreams_own_key_takes_the_place_of_the_callers(served: Bench) -> None:
    headers = {"authorization": f"Bearer {secret('all')}"}
    assert httpx.get(f"{served.url}/services/own-key/x", headers=headers).status_code == 200
    assert served.tgi.asked[-1].header("authorization") == "Bearer tgi-key"


def test_an_open_runs_authorization_is_its_own_affair(served: Bench) -> None:
    httpx.get(f"{served.url}/services/run/x", headers={"authorization": "Basic dTpw"})
    assert served.tgi.asked[-1].header("authorization") == "Basic dTpw"


@pytest.mark.parametrize(
    ("method", "response", "status", "body"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\netag: e\r\n\r\n", 200, b""),
        ("GET", b"HTTP/1.1 204 No Content\r\netag: e\r\n\r\n", 204, b""),
        ("GET", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\netag: e\r\n\r\n", 304, b""),
        ("GET", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\netag: e\r\n\r\n", 200, b""),
        ("GET", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\netag: e\r\n\r\nab", 200, b"ab"),
        (
            "GET",
            b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\netag: e\r\ncontent-length: 2\r\n\r\nab",
            200,
            b"ab",
        ),
        (
            "GET",
            b"HTTP/1.1 418 Teapot\r\netag: e\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nx: y\r\n\r\n",
            418,
            b"ab",
        ),
    ],
)
def test_responses_of_every_kind_go_through(
    served: Bench, method: str, response: bytes, status: int, body: bytes
) -> None:
    async def script(asked: Asked, write: Write) -> None:
        await write(response)

    served.tgi.usual = script
    with httpx.Client() as client:
        for _ in range(2):
            found = client.request(method, f"{served.url}/services/run/x")
            assert (found.status_code, found.content, found.headers["etag"]) == (status, body, "e")
            assert "link" not in found.headers
        assert client.get(f"{served.url}/healthz").status_code == 200


def test_a_body_that_ends_with_its_connection_is_whole(served: Bench) -> None:
    async def script(asked: Asked, write: Write) -> None:
        await write(b"HTTP/1.1 200 OK\r\n\r\nall of ")
        await write(b"it")
        raise Hangup

    served.tgi.usual = script
    assert httpx.get(f"{served.url}/services/run/x").text == "all of it"


def test_a_body_that_breaks_off_is_not_taken_for_whole(served: Bench) -> None:
    served.tgi.usual = broken_stream(b"half")
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{served.url}/services/run/x")
    served.tgi.usual = _raw(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{served.url}/services/run/x")


def _raw(response: bytes) -> Script:
    async def script(asked: Asked, write: Write) -> None:
        await write(response)
        raise Hangup

    return script


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\na",
        b"HTTP/1.1 101 X\r\nupgrade: x\r\n\r\n",
    ],
)
def test_what_is_no_response_is_502(served: Bench, response: bytes) -> None:
    served.tgi.usual = _raw(response)
    found = httpx.get(f"{served.url}/services/run/x")
    assert (found.status_code, found.json()["error"]["code"]) == (502, "upstream_unreachable")


def test_responses_are_streamed_as_they_come(served: Bench) -> None:
    go_on = asyncio.Event()
    served.tgi.usual = stream(b"first", go_on.wait(), b"second")
    with httpx.stream("GET", f"{served.url}/services/run/x") as response:
        pieces = response.iter_raw()
        assert next(pieces) == b"first"
        served.loop.call(go_on.set)
        assert b"".join(pieces) == b"second"


def test_requests_are_streamed_as_they_come(served: Bench) -> None:
    seen = threading.Event()

    def body() -> Any:
        yield b"first "
        assert seen.wait(10), "the first piece has to arrive before the second is sent"
        yield b"second"

    async def script(asked: Asked, write: Write) -> None:
        await reply(200, asked.body)(asked, write)

    served.tgi.usual = script
    served.tgi.on_body = lambda piece: seen.set()
    response = httpx.post(f"{served.url}/services/run/x", content=body())
    assert response.content == b"first second"
    assert served.tgi.asked[-1].header("transfer-encoding") == "chunked"


def test_a_large_body_with_a_length_keeps_it(served: Bench) -> None:
    data = b"0123456789" * 200_000
    httpx.post(f"{served.url}/services/run/x", content=data)
    assert served.tgi.asked[-1].body == data
    assert served.tgi.asked[-1].header("content-length") == str(len(data))


def test_the_upstream_is_closed_when_the_client_leaves(served: Bench) -> None:
    served.tgi.usual = stream(b"first", asyncio.Event().wait())
    with httpx.stream("GET", f"{served.url}/services/run/x") as response:
        next(response.iter_raw())
    assert served.tgi.asked[-1].closed.wait(60)


def test_the_upstream_waits_for_a_client_that_does_not_read(served: Bench) -> None:
    """200 MB are on offer; what the gateway took of them stays bounded by its buffers and the kernel's."""
    sent = 0

    async def endless(asked: Asked, write: Write) -> None:
        nonlocal sent
        await write(b"HTTP/1.1 200 OK\r\ncontent-length: 200000000\r\n\r\n")
        for _ in range(2000):
            await write(b"x" * 100_000)
            sent += 100_000

    served.tgi.usual = endless
    with socket.create_connection(("127.0.0.1", served.port)) as connection:
        connection.sendall(b"GET /services/run/x HTTP/1.1\r\nHost: localhost\r\n\r\n")
        before = -1
        settled = threading.Event()
        while before != sent or not sent:
            before = sent
            settled.wait(0.3)
    assert sent < 50_000_000
    assert served.tgi.asked[-1].closed.wait(60)


def test_a_dead_idle_connection_is_no_error(served: Bench) -> None:
    for _ in range(3):
        assert httpx.get(f"{served.url}/services/run/x").status_code == 200
        served.loop.run(served.tgi.drop_connections())
