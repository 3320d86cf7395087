"""Runs with several replicas, some of which fail: who is asked, how often, and what the caller hears."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest

from gateway_lambda.errors import ServiceError
from gateway_lambda.settings import Settings
from gateway_lambda.upstream import health
from gateway_lambda.upstream.client import Upstream
from gateway_lambda.upstream.replica import Replica
from tests.gateway.scripted_tgi import (
    Asked,
    Hangup,
    Script,
    Write,
    answer,
    failure,
    hang_up,
    never_for,
    reply,
    stream,
)
from tests.gateway.serving import Bench
from tests.gateway.standing_clock import silence

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


async def garbage(asked: Asked, write: Write) -> None:
    await write(b"nonsense\r\n\r\n")
    raise Hangup


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_a_runs_own_service_is_reached_while_one_of_its_replicas_takes_no_connections(
    bench: Bench, method: str
) -> None:
    gone, third = bench.upstream(), bench.upstream()
    bench.loop.run(gone.stop())
    bench.register(bench.service(model=None, url=[gone.url, bench.tgi.url, third.url]))
    content = b"body" if method in ("POST", "PUT") else None
    found = [bench.http.request(method, f"{bench.url}/services/run/x", content=content) for _ in range(30)]
    assert [response.status_code for response in found] == [200] * 30
    assert len(bench.tgi.asked) + len(third.asked) == 30


def test_a_body_that_comes_in_pieces_goes_to_the_next_replica_where_the_first_takes_no_connections(
    bench: Bench,
) -> None:
    gone = bench.upstream()
    bench.loop.run(gone.stop())
    bench.register(bench.service(model=None, url=[gone.url, bench.tgi.url]))
    for _ in range(4):
        assert httpx.post(f"{bench.url}/services/run/x", content=iter([b"a" * 70_000, b"b"])).status_code == 200
    assert [asked.body for asked in bench.tgi.asked] == [b"a" * 70_000 + b"b"] * 4


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("fault", [hang_up, garbage])
def test_what_may_be_repeated_is_asked_of_another_replica_and_what_may_not_is_sent_once(
    bench: Bench, fault: Script
) -> None:
    bad = bench.upstream()
    bad.usual = fault
    bench.register(bench.service(model=None, url=[bad.url, bench.tgi.url]))
    for method in ("GET", "POST"):
        found = [bench.http.request(method, f"{bench.url}/services/run/{number}") for number in range(20)]
        refused = [response for response in found if response.status_code == 502]
        posted = [asked.path for asked in (*bad.asked, *bench.tgi.asked) if asked.method == "POST"]
        assert len(posted) == len(set(posted)) == (20 if method == "POST" else 0)
        assert len(refused) <= (3 if method == "POST" else 0)


@pytest.mark.parametrize("format", ["tgi", "openai"])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_generation_that_may_have_been_taken_is_sent_once(bench: Bench, format: str, streamed: bool) -> None:
    others = [bench.upstream() for _ in range(3)]
    replicas = [bench.tgi, *others]
    bench.register(bench.service(format=format, url=[each.url for each in replicas]))
    well = answer("Hi", "</s>*") if format == "tgi" else reply(200, "{}")
    for each in replicas:
        each.usual = well
    for _ in range(8):
        assert bench.post().status_code == 200
    before = sum(len(_posts(each.asked)) for each in replicas)
    for each in replicas:
        each.usual = hang_up
    response = bench.post(stream=streamed)
    assert (response.status_code, response.json()["error"]["code"]) == (502, "upstream_unreachable")
    assert sum(len(_posts(each.asked)) for each in replicas) - before == 1


def _posts(asked: list[Asked]) -> list[Asked]:
    return [each for each in asked if each.method == "POST" and each.path != "/tokenize"]


def test_a_generation_goes_to_one_other_replica_at_most_where_the_first_is_busy(bench: Bench) -> None:
    others = [bench.upstream() for _ in range(3)]
    for each in (bench.tgi, *others):
        each.usual = failure(429, "Model is overloaded", "overloaded")
    bench.register(bench.service(url=[bench.tgi.url, *(each.url for each in others)]))
    assert bench.post().status_code == 429
    assert sum(len(each.generated) for each in (bench.tgi, *others)) == 2


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(("pause", "comes_back"), [(30.0, False), (0.0, True)])
def test_a_replica_that_fails_three_times_in_a_row_gets_nothing_for_a_while(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, pause: float, comes_back: bool
) -> None:
    monkeypatch.setattr(health, "_FIRST_PAUSE", pause)
    bad = bench.upstream()
    bad.replies.extend([reply(500, "")] * 3)
    bench.register(bench.service(url=[bad.url, bench.tgi.url]))
    statuses = [bench.post().status_code for _ in range(40)]
    assert statuses.count(500) == 3
    assert (len(bad.generated) > 3) is comes_back


def test_the_only_replica_is_asked_however_often_it_fails(bench: Bench) -> None:
    bench.tgi.usual = reply(500, "")
    assert [bench.post().status_code for _ in range(20)] == [500] * 20
    assert len(bench.tgi.generated) == 20
    bench.tgi.usual = answer("Hi", "</s>*")
    assert bench.post().status_code == 200


def test_all_replicas_fail_and_one_is_asked_all_the_same(bench: Bench) -> None:
    other = bench.upstream()
    bench.tgi.usual = other.usual = reply(500, "")
    bench.register(bench.service(url=[bench.tgi.url, other.url]))
    assert [bench.post().status_code for _ in range(12)] == [500] * 12
    assert len(bench.tgi.generated) + len(other.generated) == 12
    bench.tgi.usual = other.usual = answer("Hi", "</s>*")
    assert bench.post().status_code == 200


@pytest.mark.parametrize(
    ("method", "status", "times"), [("POST", 504, 2), ("POST", 502, 1), ("GET", 502, 2), ("GET", 503, 1)]
)
def test_a_request_that_the_load_balancer_brought_to_no_target_is_sent_once_more(
    bench: Bench, method: str, status: int, times: int
) -> None:
    """502 may mean that a target took it."""
    bench.register(bench.service(model=None))
    bench.tgi.usual = reply(status, "", server="awselb/2.0")
    assert httpx.request(method, f"{bench.url}/services/run/x").status_code == status
    assert len(bench.tgi.asked) == times
    bench.tgi.usual = reply(status, "", server="nginx")
    assert httpx.request(method, f"{bench.url}/services/run/x").status_code == status
    assert len(bench.tgi.asked) == times + 1


@pytest.mark.usefixtures("clock")
def test_a_runs_own_service_has_a_limit_of_time_until_its_first_byte_and_between_its_pieces(bench: Bench) -> None:
    bench.register(bench.service(model=None))
    bench.serve(plain_timeout=0.3)
    bench.tgi.usual = never_for(0.4)
    response = httpx.get(f"{bench.url}/services/run/x")
    assert (response.status_code, response.json()["error"]["code"]) == (504, "upstream_timeout")
    bench.tgi.usual = stream(b"first", silence(0.6))
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{bench.url}/services/run/x")
    assert all(asked.closed.wait(60) for asked in bench.tgi.asked)


@contextlib.asynccontextmanager
async def one_used_connection() -> AsyncIterator[tuple[Upstream, Replica, socket.socket, socket.socket]]:
    """A gateway's client with a connection that carried a request; the other end, and the socket that listens."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        upstream = Upstream(Settings())
        replica = Replica(f"http://127.0.0.1:{listening.getsockname()[1]}", None)
        asking = asyncio.create_task(upstream.send(replica, b"GET", b"/", ()))
        connection, _ = await loop.sock_accept(listening)
        await loop.sock_recv(connection, 1000)
        await loop.sock_sendall(connection, OK)
        reply = await asking
        await reply.whole()
        reply.close()
        try:
            yield upstream, replica, connection, listening
        finally:
            connection.close()
            replica.close()
            await asyncio.sleep(0)


Part = Callable[[Upstream, Replica, socket.socket, socket.socket], Awaitable[None]]


def _with_one_used_connection(part: Part) -> None:
    async def work() -> None:
        async with one_used_connection() as parts, asyncio.timeout(20):
            await part(*parts)

    asyncio.run(work())


def test_a_generation_is_sent_once_more_where_its_idle_connection_had_ended_before_it() -> None:
    async def part(upstream: Upstream, replica: Replica, connection: socket.socket, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        connection.close()
        asking = asyncio.create_task(upstream.send(replica, b"POST", b"/generate", (), b"body"))
        second, _ = await loop.sock_accept(listening)
        with second:
            assert (await loop.sock_recv(second, 1000)).endswith(b"\r\n\r\nbody")
            await loop.sock_sendall(second, OK)
            reply = await asking
            reply.close()

    _with_one_used_connection(part)


def test_a_generation_that_arrived_on_an_idle_connection_is_not_sent_again() -> None:
    async def part(upstream: Upstream, replica: Replica, connection: socket.socket, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        asking = asyncio.create_task(upstream.send(replica, b"POST", b"/generate", (), b"body"))
        assert (await loop.sock_recv(connection, 1000)).endswith(b"\r\n\r\nbody")
        connection.close()
        with pytest.raises(ServiceError) as failed:
            await asking
        assert (failed.value.code, failed.value.another) == ("upstream_unreachable", False)
        with pytest.raises(BlockingIOError):
            listening.accept()

    _with_one_used_connection(part)
