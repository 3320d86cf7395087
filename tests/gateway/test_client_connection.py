"""What comes over a client's connection: bounded, unambiguous, and read the same in whatever pieces it comes."""

from __future__ import annotations

import asyncio

import pytest

from tests.gateway.raw_http import Caller, ask, chat, in_bytes
from tests.gateway.scripted_tgi import events, stream
from tests.gateway.serving import Bench

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
POST = b"POST /services/run/x HTTP/1.1\r\nHost: h\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


def port_of(bench: Bench) -> int:
    return int(bench.url.rpartition(":")[2])


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /x HTTP/1.1\r\nX: " + b"a" * 3_000_000, 431),
        (b"GET /x HTTP/1.1\r\n" + b"a" * 3_000_000, 431),
        (b"GET /x HTTP/1.1\r\nX: " + b"a" * 65_536 + b"\r\n\r\n", 431),
        (b"GET /x HTTP/1.1\r\n" + b"a: b\r\n" * 101 + b"\r\n", 431),
        (b"GET /" + b"a" * 3_000_000, 414),
        (b"GET /" + b"a" * 32_768 + b" HTTP/1.1\r\n\r\n", 414),
        (CHUNKED + b"1\r\nx\r\n0\r\nX: " + b"a" * 3_000_000, 431),
        (CHUNKED + b"1\r\nx\r\n0\r\n" + b"a: b\r\n" * 1_000_000, 431),
        (CHUNKED + b"1;" + b"a" * 3_000_000, 431),
    ],
)
def test_a_head_or_a_frame_without_end_is_refused(bench: Bench, request_: bytes, status: int) -> None:
    with Caller(port_of(bench)) as caller:
        answer = caller.send(request_).answer()
        assert (answer.status, answer.code, answer.closes) == (status, "request_too_large", True)
        assert caller.rest() == b""
    assert ask(port_of(bench), HEALTH).status == 200


def test_a_head_within_the_bounds_is_served(bench: Bench) -> None:
    longest = b"GET /healthz?" + b"a" * 32_000 + b" HTTP/1.1\r\nX: " + b"a" * 32_000 + b"\r\n\r\n"
    most = b"GET /healthz HTTP/1.1\r\n" + b"a: b\r\n" * 100 + b"\r\n"
    assert [ask(port_of(bench), request).status for request in (longest, most)] == [200, 200]


def test_a_long_body_is_no_long_head(bench: Bench) -> None:
    body = b"a" * 1_000_000
    head = POST + b"Content-Length: %d\r\n\r\n" % len(body)
    with Caller(port_of(bench)) as caller:
        assert caller.send(head + body, HEALTH).answer().status == 200
        assert caller.answer().status == 200
    assert bench.tgi.asked[-1].body == body


AMBIGUOUS = {
    "a length and chunks": (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "two lengths": (POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400),
    "a list of lengths": (POST + b"Content-Length: 1, 1\r\n\r\nx", 400),
    "a length with a sign": (POST + b"Content-Length: +1\r\n\r\nx", 400),
    "a folded line": (POST + b"X: a\r\n Content-Length: 5\r\n\r\n", 400),
    "a space before the colon": (POST + b"Content-Length : 1\r\n\r\nx", 400),
    "a bare line feed": (b"POST /services/run/x HTTP/1.1\r\nX: y\nContent-Length: 1\r\n\r\nx", 400),
    "a bare carriage return": (b"POST /services/run/x HTTP/1.1\r\nX: y\rContent-Length: 1\r\n\r\nx", 400),
    "a zero byte": (POST + b"X: \0\r\n\r\n", 400),
    "chunks, then another coding": (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
    "another coding": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
    "another coding before chunks": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    "chunks of HTTP/1.0": (CHUNKED.replace(b"1.1", b"1.0") + b"0\r\n\r\n", 400),
    "chunks with bare line feeds": (CHUNKED + b"1\nx\n0\n\n", 400),
    "a chunk longer than it says": (CHUNKED + b"1\r\nxy0\r\n\r\n", 400),
    "HTTP/0.9": (b"GET /healthz\r\n\r\n", 505),
    "HTTP/2.0": (b"GET /healthz HTTP/2.0\r\n\r\n", 505),
    "no method": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "a tunnel": (b"CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", 405),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_what_two_servers_may_read_in_two_ways_is_refused(bench: Bench, name: str) -> None:
    request, status = AMBIGUOUS[name]
    for pieces in ([request + HEALTH], in_bytes(request)):
        with Caller(port_of(bench)) as caller:
            answer = caller.send(*pieces).answer()
            assert (answer.status, answer.closes) == (status, True)
            assert answer.code in ("invalid_http", "method_not_allowed")
            assert caller.rest() == b""
    assert [asked for asked in bench.tgi.asked if asked.method == "POST" and asked.body] == []


def test_trailers_are_no_headers(bench: Bench) -> None:
    bench.register(bench.service("run", auth=True), bench.service("open", model=None))
    trailers = b"Authorization: Bearer sk-good\r\nX-Smuggled: 1\r\n"
    to_open = CHUNKED.replace(b"/run/", b"/open/")
    with Caller(port_of(bench)) as caller:
        assert caller.send(to_open + b"1\r\nx\r\n0\r\n" + trailers + b"\r\n" + HEALTH).answer().status == 200
        assert caller.answer().status == 200
        caller.send(to_open, b"1\r\nx\r\n", b"0\r\n", *in_bytes(trailers), b"\r\n")
        assert caller.answer().status == 200
        assert caller.send(CHUNKED + b"0\r\n" + trailers + b"\r\n").answer().status == 401
    assert [asked.body for asked in bench.tgi.asked] == [b"x", b"x"]
    assert [
        name for asked in bench.tgi.asked for name, _ in asked.headers if name in ("authorization", "x-smuggled")
    ] == []


def test_few_requests_wait_on_a_connection_and_all_of_them_are_answered(bench: Bench) -> None:
    with Caller(port_of(bench)) as caller:
        caller.send(HEALTH * 5000)
        answers = [caller.answer() for _ in range(17)]
        assert [answer.status for answer in answers] == [200] * 17
        assert [answer.closes for answer in answers] == [False] * 16 + [True]
        assert caller.rest() == b""


def test_garbage_after_a_request_ends_the_connection_and_not_its_answer(bench: Bench) -> None:
    go_on = asyncio.Event()
    bench.tgi.usual = stream(*events("a", finish=None), go_on.wait(), *events("b"))
    with Caller(port_of(bench)) as caller:
        caller.send(chat(stream=True))
        assert caller.status_line() == b"HTTP/1.1 200 OK"
        caller.send(b"\0\0\0", HEALTH)
        bench.loop.call(go_on.set)
        found = caller.rest()
    assert found.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    assert found.count(b"HTTP/1.1") == 0


@pytest.mark.parametrize("offer", [b"h2c", b"TLS/1.0"])
@pytest.mark.parametrize(("version", "chunked"), [(b"1.0", False), (b"1.1", False), (b"1.1", True)])
def test_an_offer_is_declined_however_its_request_comes(
    bench: Bench, offer: bytes, version: bytes, chunked: bool
) -> None:
    framed = b"Content-Length: 5\r\n\r\na\r\nb\n"
    if chunked:
        framed = b"Transfer-Encoding: chunked\r\n\r\n5\r\na\r\nb\n\r\n0\r\n\r\n"
    head = b"POST /services/run/x?y HTTP/%s\r\nX: 1\r\nConnection: Upgrade\r\nUpgrade: %s\r\n" % (version, offer)
    for pieces in ([head + framed], in_bytes(head + framed), [head[:-9], head[-9:], framed]):
        assert ask(port_of(bench), *pieces).status == 200
    assert [asked.body for asked in bench.tgi.asked] == [b"a\r\nb\n"] * 3
    names = [name for asked in bench.tgi.asked for name, _ in asked.headers]
    assert (names.count("x"), names.count("upgrade")) == (3, 0)


def test_requests_that_offer_another_protocol_may_follow_each_other(bench: Bench) -> None:
    request = HEALTH[:-2] + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    with Caller(port_of(bench)) as caller:
        caller.send(request * 3 + HEALTH)
        assert [caller.answer().status for _ in range(4)] == [200] * 4


def test_a_length_may_have_thousands_of_zeros_in_front(bench: Bench) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: " + b"0" * 5000 + b"2\r\n\r\n"
    for pieces in ([head + b"{}"], [head, b"{}"]):
        answer = ask(port_of(bench), *pieces)
        assert (answer.status, answer.code) == (400, "invalid_type")


def test_a_websocket_is_refused_with_what_to_do_instead(bench: Bench) -> None:
    head = b"GET /services/run/ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    key = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    for pieces in ([head + key], in_bytes(head + key)):
        answer = ask(port_of(bench), *pieces)
        assert (answer.status, answer.code, answer.closes) == (400, "unsupported_value", True)
        assert "stream=true" in answer.body.decode()
    assert bench.tgi.asked == []


def test_a_client_that_leaves_takes_the_request_before_its_last_with_it(bench: Bench) -> None:
    bench.tgi.usual = stream(*events("a", finish=None), asyncio.Event().wait())
    with Caller(port_of(bench)) as caller:
        caller.send(chat(stream=True) + HEALTH)
        assert caller.status_line() == b"HTTP/1.1 200 OK"
    assert bench.tgi.generated[0].closed.wait(30)
