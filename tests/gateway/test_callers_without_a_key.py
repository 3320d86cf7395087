"""What callers without a key can make the gateway read and hold."""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.gateway.raw_http import Answer, Caller, ask, chat
from tests.gateway.serving import HI, KEY, Bench, Clock
from tests.gateway.test_process import process

KEYS = ({"name": "alice", "sha256": hashlib.sha256(KEY.encode()).hexdigest()},)
AUTHORIZED = b"Authorization: Bearer " + KEY.encode() + b"\r\n"
MEGABYTE = 1024 * 1024
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\n"


def closed(bench: Bench) -> None:
    bench.register(bench.service(auth=True), keys=KEYS)


def half_open(bench: Bench) -> None:
    bench.register(bench.service(auth=True), bench.service("open", model="o"), keys=KEYS)


def large(model: str, size: int, header: bytes = b"") -> bytes:
    request = chat(model=model, messages=HI, user="a" * size)
    return request.replace(b"Host: h\r\n", b"Host: h\r\n" + header)


def peak(pid: int) -> int:
    """The most memory that a process has had, in bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def test_a_hundred_large_bodies_without_a_key_are_refused_and_not_held(bench: Bench) -> None:
    closed(bench)
    request = large("m", 4 * MEGABYTE)
    with process(bench) as (started, url), ThreadPoolExecutor(20) as pool:
        port = int(url.rpartition(":")[2])
        ask(port, chat())
        before = peak(started.pid)
        answers = list(pool.map(lambda _: ask(port, request), range(100)))
        assert {(answer.status, answer.code, answer.closes) for answer in answers} == {(401, "invalid_api_key", True)}
        assert peak(started.pid) - before < 20 * MEGABYTE
    assert bench.tgi.asked == []


def test_where_something_is_open_the_bodies_of_all_without_a_key_are_bounded_together(bench: Bench) -> None:
    half_open(bench)
    request = large("m", 4 * MEGABYTE)
    with process(bench, GATEWAY_MAX_OPEN_BYTES=str(9 * MEGABYTE)) as (started, url), ThreadPoolExecutor(20) as pool:
        port = int(url.rpartition(":")[2])
        ask(port, chat())
        before = peak(started.pid)
        answers = list(pool.map(lambda _: ask(port, request), range(60)))
        assert {answer.status for answer in answers} <= {401, 503}
        assert peak(started.pid) - before < 40 * MEGABYTE
        assert ask(port, request).status == 401


def test_large_bodies_do_not_pile_up_behind_an_answer(bench: Bench) -> None:
    body = b"a" * 200_000
    request = b"POST /services/run/x HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with process(bench, GATEWAY_LOG="info") as (started, url), ThreadPoolExecutor(30) as pool:
        port = int(url.rpartition(":")[2])
        ask(port, request)
        before = peak(started.pid)

        def flood(_: int) -> bytes:
            with Caller(port) as caller:
                return caller.send(request * 20).rest()

        assert all(answers.startswith(b"HTTP/1.1 200 ") for answers in pool.map(flood, range(30)))
        assert peak(started.pid) - before < 25 * MEGABYTE


@pytest.mark.parametrize("path", [b"/v1/chat/completions", b"/completions", b"/v1/embeddings", b"/v1/nothing"])
def test_where_nothing_is_open_the_key_is_asked_for_before_any_of_the_body(bench: Bench, path: bytes) -> None:
    closed(bench)
    expects = b"POST " + path + b" HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5000000\r\n"
    for header in (b"", b"Authorization: Bearer wrong\r\n"):
        with Caller(int(bench.url.rpartition(":")[2])) as caller:
            answer = caller.send(expects + header + b"\r\n").answer()
            assert (answer.status, answer.code, answer.closes) == (401, "invalid_api_key", True)
    with Caller(bench.port) as caller:
        assert caller.send(expects + AUTHORIZED + b"\r\n").status_line() == b"HTTP/1.1 100 Continue"


def test_a_short_body_that_is_refused_leaves_the_connection(bench: Bench) -> None:
    closed(bench)
    request = chat(user="a" * 10_000)
    with Caller(int(bench.url.rpartition(":")[2])) as caller:
        for _ in range(3):
            answer = caller.send(request[:300], request[300:]).answer()
            assert (answer.status, answer.closes) == (401, False)


def test_a_caller_without_a_key_waits_for_room_and_one_with_a_key_does_not(bench: Bench) -> None:
    half_open(bench)
    bench.serve(max_open_bytes=MEGABYTE)
    request, refused = large("o", 600_000), (503, "service_unavailable", "1", True)
    with Caller(bench.port) as slow:
        slow.send(HEAD + b"Content-Length: 600000\r\n\r\n", b"{")
        assert _until_refused(bench, request) == refused
        assert ask(bench.port, large("o", 600_000, AUTHORIZED)).status == 200
        assert ask(bench.port, large("m", 600_000, AUTHORIZED)).status == 200
        assert ask(bench.port, chat(model="o")).status == 200
    statuses = {ask(bench.port, request).status for _ in range(100)}
    assert 200 in statuses
    assert [ask(bench.port, request).status for _ in range(5)] == [200] * 5


def _until_refused(bench: Bench, request: bytes) -> tuple[int, object, str, bool]:
    """What a caller is told once the one before it has been read as far as it came."""
    for _ in range(100):
        answer: Answer = ask(bench.port, request)
        if answer.status != 200:
            return answer.status, answer.code, answer.headers["retry-after"], answer.closes
    raise AssertionError("nothing was refused")


def test_a_body_of_unknown_length_counts_as_the_longest_until_it_is_there(bench: Bench) -> None:
    half_open(bench)
    bench.serve(max_open_bytes=MEGABYTE, max_body_bytes=MEGABYTE // 2 + 1)
    body = chat(model="o").partition(b"\r\n\r\n")[2]
    request = HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    with Caller(bench.port) as slow:
        slow.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\naaa")
        # Its body has come whole in one packet, so that the connection stays.
        assert _until_refused(bench, request) == (503, "service_unavailable", "1", False)


def test_without_a_key_a_body_must_be_there_in_time_however_often_a_piece_comes(bench: Bench, clock: Clock) -> None:
    half_open(bench)
    bench.serve(body_timeout=1.0)
    with Caller(bench.port) as caller:
        caller.send(HEAD + b"Content-Length: 100000\r\n\r\n")
        for _ in range(10):
            clock.passes(0.2)
            caller.send(b"a")
        answer = caller.answer()
    assert (answer.status, answer.code, answer.closes) == (408, "request_timeout", True)


def test_a_run_that_was_opened_just_now_needs_no_key(bench: Bench) -> None:
    closed(bench)
    assert ask(int(bench.url.rpartition(":")[2]), chat(model="o")).status == 401
    half_open(bench)
    assert ask(bench.port, chat(model="o")).status == 200
