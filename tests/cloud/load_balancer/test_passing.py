"""Requests and answers on their way through the load balancer."""

from __future__ import annotations

import re
import socket
import threading
from http.server import BaseHTTPRequestHandler

import httpx

from tests.cloud.load_balancer.played import DEFAULT, group, played, said, target, to_run

HOST = {"Host": "run.internal"}


def test_a_target_gets_the_request_as_it_was_sent_with_the_headers_of_aws() -> None:
    got: list[object] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        got.append((handler.requestline, handler.headers.items(), body))
        said(handler, "ok")

    head = (
        "POST /v1/%7Euser/../a//b?q=%20&q= HTTP/1.1\r\nHost: run.internal\r\nAuthorization: Bearer k\r\n"
        "X_Under: dropped\r\nX-Two: 1\r\nX-Two: 2\r\nX-Forwarded-For: 203.0.113.7\r\nX-Amzn-Trace-Id: Root=1-2-3\r\n"
        "Connection: close\r\nContent-Length: 5\r\n\r\nhello"
    )
    with (
        target(answer) as port,
        played(group(port)) as one,
        socket.create_connection(("127.0.0.1", one.port)) as client,
    ):
        client.sendall(head.encode())
        answered = b"".join(iter(lambda: client.recv(65536), b""))
    assert answered == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
    [(line, headers, body)] = got
    trace = dict(headers).pop("X-Amzn-Trace-Id")
    assert re.fullmatch(r"Self=1-[0-9a-f]{8}-[0-9a-f]{24};Root=1-2-3", trace)
    assert (line, [header for header in headers if header[1] != trace], body) == (
        "POST /v1/%7Euser/../a//b?q=%20&q= HTTP/1.1",
        [
            ("Host", "run.internal"),
            ("Authorization", "Bearer k"),
            ("X-Two", "1"),
            ("X-Two", "2"),
            ("X-Forwarded-For", "203.0.113.7, 127.0.0.1"),
            ("Content-Length", "5"),
            ("X-Forwarded-Proto", "http"),
            ("X-Forwarded-Port", "80"),
        ],
        b"hello",
    )


def test_a_stream_arrives_piece_by_piece() -> None:
    read = threading.Semaphore(0)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response_only(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for number in range(3):
            piece = f"data: {number}\n\n"
            handler.wfile.write(f"{len(piece):x}\r\n{piece}\r\n".encode())
            handler.wfile.flush()
            assert read.acquire(timeout=100)
        handler.wfile.write(b"0\r\n\r\n")

    pieces: list[str] = []
    with (
        target(answer) as port,
        played(group(port)) as one,
        httpx.stream("GET", f"http://127.0.0.1:{one.port}/", headers=HOST, timeout=100) as answered,
    ):
        for piece in answered.iter_text():
            pieces.append(piece)
            read.release()
    assert (dict(answered.headers), pieces) == (
        {"content-type": "text/event-stream", "transfer-encoding": "chunked"},
        ["data: 0\n\n", "data: 1\n\n", "data: 2\n\n"],
    )


def test_a_body_without_a_length_is_passed_on_in_pieces() -> None:
    got: list[object] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        pieces: list[bytes] = []
        while size := int(handler.rfile.readline(), 16):
            pieces.append(handler.rfile.read(size))
            handler.rfile.readline()
        handler.rfile.readline()
        got.append((handler.headers["Transfer-Encoding"], handler.headers["Content-Length"], b"".join(pieces)))
        said(handler, "")

    with target(answer) as port, played(group(port)) as one:
        sent = httpx.post(
            f"http://127.0.0.1:{one.port}/", headers=HOST, content=iter([b"a" * 70_000, b"b"]), timeout=100
        )
    assert (sent.status_code, got) == (200, [("chunked", None, b"a" * 70_000 + b"b")])


def test_an_answer_keeps_its_encoding_its_length_and_its_status() -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response_only(206, "Some")
        for name, value in (("Content-Encoding", "gzip"), ("Server", "mine"), ("Content-Length", "3")):
            handler.send_header(name, value)
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(b"\x1f\x8bz")

    with target(answer) as port, played(group(port)) as one:
        url = f"http://127.0.0.1:{one.port}/"
        head = httpx.head(url, headers=HOST, timeout=100)
        with httpx.stream("GET", url, headers=HOST, timeout=100) as got:
            raw = b"".join(got.iter_raw())
    kept = {"content-encoding": "gzip", "server": "mine", "content-length": "3"}
    assert (head.status_code, dict(head.headers)) == (206, kept)
    assert (got.status_code, got.reason_phrase, dict(got.headers), raw) == (206, "Some", kept, b"\x1f\x8bz")


def test_another_host_gets_the_default_answer() -> None:
    with played(group()) as one:
        got = httpx.get(f"http://127.0.0.1:{one.port}/", headers={"Host": "other.internal"}, timeout=100)
    got.headers.pop("date")
    assert (got.status_code, got.text, dict(got.headers)) == (
        404,
        '{"error": "no such run"}',
        {"content-type": "application/json", "server": "awselb/2.0", "content-length": "24"},
    )


def test_a_client_that_leaves_ends_the_request_of_the_target() -> None:
    begun, left = threading.Event(), threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        begun.set()
        if handler.rfile.read(1) == b"":
            left.set()

    with target(answer) as port, played(group(port)) as one:
        client = socket.create_connection(("127.0.0.1", one.port))
        with client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: run.internal\r\n\r\n")
            assert begun.wait(100)
        assert left.wait(100)
        one.wait_for(lambda: one.outstanding() == [0])


def test_a_listener_that_is_gone_answers_no_more() -> None:
    with played(group()) as one:
        one.update(group(), rules=())
        refused = httpx.codes.OK
        try:
            httpx.get(f"http://127.0.0.1:{one.port}/", timeout=100)
        except httpx.ConnectError:
            refused = None
        one.update(group(), rules=(to_run(), DEFAULT))
        again = httpx.get(f"http://127.0.0.1:{one.port}/", timeout=100)
    assert (refused, again.status_code) == (None, 404)
