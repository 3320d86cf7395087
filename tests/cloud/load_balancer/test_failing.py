"""What a client sees of targets and of clients that fail."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import httpx
import pytest

from tests.cloud.load_balancer.played import group, played, said, target

HOST = {"Host": "run.internal"}


def test_a_target_that_breaks_off_before_its_answer_is_502() -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True

    with target(answer) as port, played(group(port)) as one:
        got = httpx.post(f"http://127.0.0.1:{one.port}/", headers=HOST, content=b"x", timeout=100)
    assert (got.status_code, got.reason_phrase) == (502, "Bad Gateway")


def test_what_is_no_http_is_502() -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"hello\r\n\r\n")
        handler.close_connection = True

    with target(answer) as port, played(group(port)) as one:
        got = httpx.get(f"http://127.0.0.1:{one.port}/", headers=HOST, timeout=100)
    assert (got.status_code, got.reason_phrase) == (502, "Bad Gateway")


def test_a_target_that_breaks_off_within_its_answer_ends_the_connection_of_the_client() -> None:
    read = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response_only(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"5\r\nhello\r\n")
        assert read.wait(100)
        handler.close_connection = True

    def heard(answer: httpx.Response) -> Iterator[bytes]:
        for piece in answer.iter_raw():
            yield piece
            read.set()

    with target(answer) as port, played(group(port)) as one:
        pieces: list[bytes] = []
        with (
            pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"),
            httpx.stream("GET", f"http://127.0.0.1:{one.port}/", headers=HOST, timeout=100) as got,
        ):
            pieces.extend(heard(got))
    assert pieces == [b"hello"]


def test_a_silent_target_is_504_after_the_idle_timeout() -> None:
    go = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        assert go.wait(100)
        said(handler, "late")

    with target(answer) as port, played(group(port), idle_timeout=0.2) as one:
        got = httpx.get(f"http://127.0.0.1:{one.port}/", headers=HOST, timeout=100)
        go.set()
    assert (got.status_code, got.reason_phrase) == (504, "Gateway Time-out")


def test_a_silent_client_is_408_after_the_idle_timeout() -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.rfile.read(5)

    with (
        target(answer) as port,
        played(group(port), idle_timeout=0.2) as one,
        socket.create_connection(("127.0.0.1", one.port)) as client,
    ):
        client.sendall(b"POST / HTTP/1.1\r\nHost: run.internal\r\nContent-Length: 5\r\n\r\nhe")
        got = client.recv(65536)
    assert got.splitlines()[0] == b"HTTP/1.1 408 Request Time-out"


@pytest.mark.parametrize(
    "head",
    [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: run.internal\r\nBad Name: x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: run.internal\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: run.internal\r\nX: {'x' * 20_000}\r\n\r\n",
    ],
    ids=["no host", "a space in a name", "two lengths", "a long header"],
)
def test_a_request_that_two_parsers_could_read_differently_is_400(head: str) -> None:
    with played(group()) as one, socket.create_connection(("127.0.0.1", one.port)) as client:
        client.sendall(head.encode())
        got = b"".join(iter(lambda: client.recv(65536), b""))
    assert got.splitlines()[0].split(b" ", 1)[1] == b"400 Bad Request"


def test_a_client_that_waits_for_100_is_told_to_go_on() -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        said(handler, f"{handler.headers['Expect']} {handler.rfile.read(5).decode()}")

    with (
        target(answer) as port,
        played(group(port)) as one,
        socket.create_connection(("127.0.0.1", one.port)) as client,
    ):
        client.sendall(
            b"POST / HTTP/1.1\r\nHost: run.internal\r\nConnection: close\r\nContent-Length: 5\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        go_on = client.recv(65536)
        client.sendall(b"hello")
        got = b"".join(iter(lambda: client.recv(65536), b""))
    assert go_on == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert got == b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nNone hello"
