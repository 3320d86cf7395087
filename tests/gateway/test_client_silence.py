"""How long a client's connection may be silent, and how many connections there may be."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from gateway_lambda.server import client_connection
from tests.gateway.raw_http import Caller, ask, chat
from tests.gateway.scripted_tgi import events, stream
from tests.gateway.serving import Bench, Clock
from tests.support.processes import wait_until

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
POST = b"POST /services/run/x HTTP/1.1\r\nHost: h\r\n"
DONE = b"data: [DONE]\n\n\r\n0\r\n\r\n"


def streaming(bench: Bench) -> asyncio.Event:
    """The upstream's streams wait, when they have begun, for what is returned."""
    go_on = asyncio.Event()
    bench.tgi.usual = stream(*events("a", finish=None), go_on.wait(), *events("b"))
    return go_on


def test_a_connection_in_silence_is_closed_and_a_stream_is_not(bench: Bench, clock: Clock) -> None:
    bench.serve(head_timeout=0.3, body_timeout=0.3)
    go_on = streaming(bench)
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    with Caller(bench.port) as caller:
        assert caller.send(chat(stream=True)).status_line() == b"HTTP/1.1 200 OK"
        for part in (HEALTH[:-2], chat()[:-1], POST + b"Content-Length: 9\r\n\r\n", chunked + b"5\r\na", chunked):
            with Caller(bench.port) as late:
                late.send(part)
                clock.passes(0.4)
                answer = late.answer()
            assert (answer.status, answer.code, answer.closes) == (408, "request_timeout", True)
        with Caller(bench.port) as silent:
            clock.passes(0.4)
            assert silent.rest() == b""
        bench.loop.call(go_on.set)
        assert caller.chunks().endswith(DONE)
        # Between requests it may be idle for longer than a head may take.
        clock.passes(0.4)
        assert caller.send(HEALTH).answer().status == 200


def test_a_body_in_small_pieces_may_take_longer_than_a_silence(bench: Bench, clock: Clock) -> None:
    bench.serve(head_timeout=0.2, body_timeout=1.2)
    with Caller(bench.port) as caller:
        caller.send(POST + b"Content-Length: 8\r\n\r\n")
        for _ in range(7):
            clock.passes(1.0)
            caller.send(b"a")
        assert caller.send(b"b").answer().status == 200
    assert bench.tgi.asked[-1].body == b"aaaaaaab"


def test_a_head_that_begins_during_a_stream_and_never_ends_leaves_the_stream_whole(bench: Bench, clock: Clock) -> None:
    bench.serve(head_timeout=0.2)
    go_on = streaming(bench)
    with Caller(bench.port) as caller:
        assert caller.send(chat(stream=True) + HEALTH[:9]).status_line() == b"HTTP/1.1 200 OK"
        clock.passes(0.3)
        bench.loop.call(go_on.set)
        assert caller.rest().endswith(DONE)


def test_as_many_connections_as_are_allowed_and_the_silent_ones_make_room(bench: Bench, clock: Clock) -> None:
    bench.serve(max_connections=3)
    with Caller(bench.port) as first, Caller(bench.port) as second, Caller(bench.port) as third:
        for caller in (first, second, third):
            assert caller.send(HEALTH).answer().status == 200
            clock.passes(1)
        assert ask(bench.port, HEALTH).status == 200
        assert first.rest() == b""
        assert third.send(HEALTH).answer().status == 200


def test_where_all_connections_are_in_use_a_new_one_is_told(bench: Bench) -> None:
    bench.serve(max_connections=1)
    go_on = streaming(bench)
    with Caller(bench.port) as caller:
        assert caller.send(chat(stream=True)).status_line() == b"HTTP/1.1 200 OK"
        answer = ask(bench.port, HEALTH)
        assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "service_unavailable", "5")
        bench.loop.call(go_on.set)
        assert caller.chunks().endswith(DONE)


def test_a_connection_that_ends_does_not_hold_up_the_gateway_that_stops(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_connection, "_LINGER_SECONDS", 300.0)
    bench.serve()
    assert bench.server is not None
    with Caller(bench.port) as caller:
        assert caller.send(HEALTH[:-2] + b"a\r\n").answer().status == 400
        bench.loop.run(bench.server.shutdown())  # waits for every connection, and fails after 30 s
    bench.server = None


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "found"),
    [(100, 4064, 2000, "2000 4064"), (100, 264, 2000, "100 264"), (264, 264, 50, "50 264"), (80, 264, 10, "10 84")],
)
def test_connections_leave_files_for_those_to_replicas(soft: int, hard: int, wanted: int, found: str) -> None:
    program = (
        "import resource; from gateway_lambda.server.open_files import connections_for; files = resource.RLIMIT_NOFILE;"
        f"resource.setrlimit(files, ({soft}, {hard})); print(connections_for({wanted}), resource.getrlimit(files)[0])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=True)
    assert ended.stdout.decode().strip() == found


def test_a_client_that_takes_nothing_of_its_answer_is_closed_and_one_that_reads_slowly_is_not(
    bench: Bench, clock: Clock
) -> None:
    bench.serve(head_timeout=0.2, body_timeout=0.9)
    bench.tgi.usual = stream(*[b"~" * 100_000] * 300)
    with Caller(bench.port) as slow, Caller(bench.port) as stopped:
        for caller in (slow, stopped):
            assert caller.send(POST + b"Content-Length: 0\r\n\r\n").status_line() == b"HTTP/1.1 200 OK"
        found = b""
        for _ in range(8):
            clock.passes(0.2)
            found += slow.some(2_500_000)
        assert (found + slow.chunks()).count(b"~") == 30_000_000
        wait_until(lambda: clock.passes(0.2) or bench.tgi.asked[1].closed.is_set(), what="the end of the other")
        assert b"\r\n0\r\n\r\n" not in stopped.rest()
