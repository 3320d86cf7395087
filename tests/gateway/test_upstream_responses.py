"""The gateway's own HTTP client against upstreams that break the rules: nothing is taken for what it is not."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from gateway_lambda.upstream import replica
from gateway_lambda.upstream.replica import Replica
from tests.gateway.scripted_tgi import Asked, Hangup, Script, Write, reply
from tests.gateway.serving import Bench

OK = b"HTTP/1.1 200 OK\r\n"


def says(response: bytes, *, stays: bool = False) -> Script:
    """Answers with these bytes; then the connection ends, unless it `stays`."""

    async def script(asked: Asked, write: Write) -> None:
        await write(response)
        if not stays:
            raise Hangup

    return script


@pytest.fixture
def served(bench: Bench) -> Bench:
    bench.register(bench.service(model=None))
    return bench


def ask(bench: Bench, method: str = "GET") -> httpx.Response:
    return httpx.request(method, f"{bench.url}/services/run/x", content=b"x" if method == "POST" else None)


NO_RESPONSES = {
    "two lengths": OK + b"content-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "a list of lengths": OK + b"content-length: 2, 2\r\n\r\nab",
    "a negative length": OK + b"content-length: -2\r\n\r\nab",
    "an endless length": OK + b"content-length: 99999999999999999999999\r\n\r\nab",
    "a length and chunks": OK + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    "chunks and a length": OK + b"transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    "a folded line": OK + b"x-a: 1\r\n  content-length: 7\r\ncontent-length: 2\r\n\r\nab",
    "a space before the colon": OK + b"content-length : 2\r\n\r\nab",
    "bare line feeds": b"HTTP/1.1 200 OK\ncontent-length: 2\n\nab",
    "a bare carriage return": OK + b"x-a: 1\rx-b: 2\r\ncontent-length: 2\r\n\r\nab",
    "a zero byte": OK + b"x-a: 1\x002\r\ncontent-length: 2\r\n\r\nab",
    "another protocol": b"HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nxx",
    "only an interim response": b"HTTP/1.1 102 Processing\r\n\r\n",
    "a status that means nothing": b"HTTP/1.1 999 X\r\ncontent-length: 2\r\n\r\nab",
    "a status of zero": b"HTTP/1.1 000 X\r\ncontent-length: 2\r\n\r\nab",
    "a status below a hundred": b"HTTP/1.1 099 X\r\ncontent-length: 2\r\n\r\nab",
    "a status of four digits": b"HTTP/1.1 2000 X\r\ncontent-length: 2\r\n\r\nab",
    "a head that breaks off": OK + b"x-a: 1\r\nx-b",
    "a header without end": OK + b"x-a: " + b"x" * 2_000_000,
    "headers without end": OK + b"x-a: 1\r\n" * 100_000,
    "no head at all": b"hello",
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("response", NO_RESPONSES.values(), ids=NO_RESPONSES)
def test_what_is_no_response_is_502_and_asked_for_once(served: Bench, response: bytes, method: str) -> None:
    assert ask(served).status_code == 200
    served.tgi.usual = says(response)
    found = ask(served, method)
    assert (found.status_code, found.json()["error"]["code"]) == (502, "upstream_unreachable")
    assert len(served.tgi.asked) == 2


def test_where_a_byte_came_no_other_replica_is_asked(bench: Bench) -> None:
    other = bench.upstream()
    bench.tgi.usual = other.usual = says(b"nonsense\r\n\r\n")
    bench.register(bench.service(url=[bench.tgi.url, other.url]))
    assert bench.post().json()["error"]["code"] == "upstream_unreachable"
    assert len(bench.tgi.generated) + len(other.generated) == 1


BROKEN_BODIES = {
    "a bad size of a chunk": OK + b"transfer-encoding: chunked\r\n\r\n0x2\r\nab\r\n0\r\n\r\n",
    "chunks with bare line feeds": OK + b"transfer-encoding: chunked\r\n\r\n2\nab\n0\n\n",
    "an extension without end": OK + b"transfer-encoding: chunked\r\n\r\n2;a=" + b"x" * 2_000_000,
    "trailers without end": OK + b"transfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n" + b"a: b\r\n" * 200_000,
    "fewer bytes than said": OK + b"content-length: 10\r\n\r\nab",
    "no last chunk": OK + b"transfer-encoding: chunked\r\n\r\n2\r\nab\r\n",
}


@pytest.mark.parametrize("response", BROKEN_BODIES.values(), ids=BROKEN_BODIES)
def test_a_body_that_breaks_the_rules_is_not_taken_for_whole(served: Bench, response: bytes) -> None:
    served.tgi.usual = says(response)
    with pytest.raises(httpx.RemoteProtocolError):
        ask(served)
    served.tgi.usual = reply(200, "fine")
    assert ask(served).text == "fine"


WHOLE: dict[str, tuple[bytes, bytes]] = {
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\n\r\nab", b"ab"),
    "no length": (OK + b"connection: close\r\n\r\nab", b"ab"),
    "extensions of chunks": (OK + b'transfer-encoding: chunked\r\n\r\n2;a="b"\r\nab\r\n0\r\n\r\n', b"ab"),
    "interim responses": (
        b"HTTP/1.1 103 E\r\nset-cookie: a=1\r\n\r\n" * 3 + OK + b"content-length: 2\r\n\r\nab",
        b"ab",
    ),
    "an upgrade that is only offered": (
        OK + b"connection: upgrade\r\nupgrade: h2c\r\ncontent-length: 2\r\n\r\nab",
        b"ab",
    ),
    "trailers": (OK + b"transfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nset-cookie: a=1\r\n\r\n", b"ab"),
    "a 204 with a body": (b"HTTP/1.1 204 No\r\ncontent-length: 2\r\n\r\nab", b""),
    "a second response behind the first": (
        OK + b"content-length: 2\r\n\r\nab" + OK + b"content-length: 1\r\n\r\nc",
        b"ab",
    ),
}


@pytest.mark.parametrize("stays", [False, True])
@pytest.mark.parametrize(("response", "body"), WHOLE.values(), ids=WHOLE)
def test_a_response_is_taken_to_its_end_and_no_further(
    served: Bench, response: bytes, body: bytes, stays: bool
) -> None:
    ends_with_its_connection = b"content-length" not in response and b"chunked" not in response
    served.tgi.usual = says(response, stays=stays and not ends_with_its_connection)
    found = ask(served)
    assert (found.content, found.headers.get("set-cookie")) == (body, None)
    served.tgi.usual = reply(200, "next")
    assert ask(served).text == "next"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_that_kills_its_replica_is_repeated_once_at_most(served: Bench, method: str) -> None:
    """However many idle connections there are: what is repeated has a new one."""
    arrived = asyncio.Semaphore(0)
    go_on = asyncio.Event()

    async def together(asked: Asked, write: Write) -> None:
        arrived.release()
        await go_on.wait()
        await reply(200, "ok")(asked, write)

    async def five() -> None:
        async with httpx.AsyncClient(timeout=20) as client:
            asking = [asyncio.create_task(client.get(f"{served.url}/services/run/x")) for _ in range(5)]
            await asyncio.gather(*asking)

    async def open_the_gate() -> None:
        for _ in range(5):
            await arrived.acquire()
        go_on.set()

    async def dies(asked: Asked, write: Write) -> None:
        raise Hangup

    served.tgi.usual = together
    assert served.url
    opening = asyncio.run_coroutine_threadsafe(open_the_gate(), served.loop.loop)
    asyncio.run(five())
    opening.result(10)
    served.tgi.usual = dies
    assert ask(served, method).status_code == 502
    assert len(served.tgi.asked) - 5 == (2 if method == "GET" else 1)


def test_an_answer_that_comes_before_the_body_was_sent_is_passed_on(served: Bench) -> None:
    body = b"x" * 20_000_000

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig")
        await writer.drain()
        while await reader.read(1 << 20):
            pass
        writer.close()

    async def listen() -> asyncio.Server:
        return await asyncio.start_server(serve, "127.0.0.1", 0)

    server = served.loop.run(listen())
    try:
        served.register(served.service(model=None, url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
        found = httpx.post(f"{served.url}/services/run/x", content=body)
        assert (found.status_code, found.text) == (413, "big")
    finally:
        served.loop.call(server.close)


def test_a_name_with_a_dead_address_is_reached_at_its_next_one(served: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first address takes no connection and refuses none, as a machine that is gone."""

    async def addresses(host: str, port: int, **options: Any) -> list[Any]:
        # Each has a second for its try. The one that answers has many tries, for a machine that stands still.
        found = ["127.0.0.2", *["127.0.0.1"] * 29]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

    with contextlib.ExitStack() as held:
        dead = held.enter_context(socket.socket())
        dead.bind(("127.0.0.2", served.tgi.port))
        dead.listen(0)
        for _ in range(3):
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(dead.getsockname())
        served.serve(connect_timeout=30)
        monkeypatch.setattr(served.loop.loop, "getaddrinfo", addresses)
        served.register(served.service(model=None, url=f"http://replicas.example:{served.tgi.port}"))
        assert ask(served).status_code == 200
    assert served.tgi.asked[-1].header("host") == f"replicas.example:{served.tgi.port}"


def test_an_addresss_path_comes_before_the_requests(served: Bench) -> None:
    served.register(served.service(model=None, url=f"{served.tgi.url}/base/"))
    assert ask(served).status_code == 200
    assert served.tgi.asked[-1].path == "/base/x"


@pytest.mark.parametrize(("later", "same"), [(59, True), (61, False), (-5, False)])
def test_a_connection_that_was_idle_for_a_minute_is_not_used_again(
    monkeypatch: pytest.MonkeyPatch, later: float, same: bool
) -> None:
    """By the clock on the wall: a function that was frozen does not know for how long by any other."""
    now = 1_800_000_000.0
    monkeypatch.setattr(replica, "time", SimpleNamespace(time=lambda: now))

    async def work(port: int) -> None:
        nonlocal now
        found = Replica(f"http://127.0.0.1:{port}", None)
        first = found.idle_connection() or await found.new_connection(5)
        found.free(first)
        now += later
        assert (found.idle_connection() is first) is same
        found.close()
        await asyncio.sleep(0)

    with socket.create_server(("127.0.0.1", 0)) as server:
        asyncio.run(work(server.getsockname()[1]))
