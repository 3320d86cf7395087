"""Many at once, clients that leave or do not read: nothing hangs, nothing grows."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from typing import Any

import httpx

from tests.gateway.scripted_tgi import STREAM_HEAD, Asked, Write, answer, events, never
from tests.gateway.serving import HI, Bench

BODY = {"model": "m", "messages": HI}


def test_five_hundred_streams_at_once_are_all_served_and_none_is_starved(bench: Bench) -> None:
    """No stream goes on behind its first token until each has had its own: none waits for another to end."""
    tokens = events(*["t"] * 5, "</s>*")
    begun = 0
    all_begun = asyncio.Event()

    async def script(asked: Asked, write: Write) -> None:
        await write(STREAM_HEAD)
        for number, each in enumerate(tokens):
            await write(b"%x\r\n%s\r\n" % (len(each), each))
            if number == 0:
                await all_begun.wait()
        await write(b"0\r\n\r\n")

    body = json.dumps({**BODY, "stream": True}).encode()
    request = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

    async def one() -> int:
        nonlocal begun
        reader, writer = await asyncio.open_connection("127.0.0.1", bench.port)
        writer.write(request)
        await reader.readuntil(b'"content":"t"')
        begun += 1
        if begun == 500:
            bench.loop.call(all_begun.set)
        rest = await reader.readuntil(b"data: [DONE]\n\n")
        writer.close()
        return 1 + rest.count(b'"content":"t"')

    async def all_of_them() -> list[int]:
        async with asyncio.timeout(90):
            return await asyncio.gather(*(one() for _ in range(500)))

    bench.post()
    bench.tgi.usual = script
    assert asyncio.run(all_of_them()) == [5] * 500


def test_clients_that_leave_leave_nothing_behind(bench: Bench) -> None:
    async def script(asked: Asked, write: Write) -> None:
        await write(STREAM_HEAD)
        (each,) = events("t", finish=None)
        while True:
            await write(b"%x\r\n%s\r\n" % (len(each), each))
            await asyncio.sleep(0.01)

    bench.tgi.usual = script
    for _ in range(20):
        with bench.http.stream("POST", f"{bench.url}/v1/chat/completions", json={**BODY, "stream": True}) as found:
            next(found.iter_raw())
    assert all(asked.closed.wait(30) for asked in bench.tgi.generated)
    bench.tgi.usual = answer("Hi", "</s>*")
    assert bench.post().status_code == 200
    assert bench.loop.run(_other_tasks()) == []


def test_a_client_that_leaves_after_a_long_body_is_noticed(bench: Bench) -> None:
    """Such a body comes in pieces, between which the connection is not read from."""
    bench.tgi.usual = never
    bench.leave(messages=[{"role": "user", "content": "x" * 1_000_000}])
    assert bench.tgi.generated[-1].closed.wait(30)


async def _other_tasks() -> list[str]:
    """What still runs for requests that are over; a moment is given to end."""
    for _ in range(500):
        names = [repr(task.get_coro()) for task in asyncio.all_tasks()]
        left = [name for name in names if "gateway_lambda" in name or "Exchange" in name]
        if not left:
            return []
        await asyncio.sleep(0.02)
    return left


def test_a_stream_waits_for_a_client_that_does_not_read(bench: Bench) -> None:
    sent = 0

    async def endless(asked: Asked, write: Write) -> None:
        nonlocal sent
        await write(STREAM_HEAD)
        (each,) = events("t" * 1000, finish=None)
        many = b"%x\r\n%s\r\n" % (100 * len(each), 100 * each)
        for _ in range(2000):
            await write(many)
            sent += len(many)

    bench.tgi.usual = endless
    body = json.dumps({**BODY, "stream": True}).encode()
    with socket.create_connection(("127.0.0.1", int(bench.url.rpartition(":")[2]))) as connection:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        before, settled = -1, threading.Event()
        while before != sent or not sent:
            before = sent
            settled.wait(0.3)
    assert sent < 50_000_000
    assert bench.tgi.generated[0].closed.wait(30)


def test_a_body_that_comes_slowly_is_waited_for_and_one_that_never_ends_harms_nobody(bench: Bench) -> None:
    body = json.dumps(BODY).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with (
        socket.create_connection(("127.0.0.1", int(bench.url.rpartition(":")[2]))) as slow,
        socket.create_connection(("127.0.0.1", bench.port)) as stuck,
    ):
        stuck.sendall(head + body[:5])
        for at in range(len(head + body)):
            slow.sendall((head + body)[at : at + 1])
        assert slow.recv(12) == b"HTTP/1.1 200"
        assert bench.post().status_code == 200
    assert len(bench.tgi.generated) == 2
    assert bench.loop.run(_other_tasks()) == []


def test_fifty_megabytes_are_refused_without_being_kept(bench: Bench) -> None:
    def body() -> Any:
        yield from (b" " * 1_000_000 for _ in range(50))

    response = bench.http.post(f"{bench.url}/v1/chat/completions", content=body())
    assert response.status_code == 413
    assert bench.post().status_code == 200


def test_two_hundred_requests_of_all_kinds_end_as_they_should(bench: Bench) -> None:
    """8 at once, half of them streams, a quarter of those cut off by their client."""
    errors: list[str] = []

    def work(number: int) -> None:
        with httpx.Client(verify=False, timeout=20) as client:
            for round_ in range(25):
                kind = (number + round_) % 8
                body = {**BODY, "stream": kind % 2 == 0}
                with client.stream("POST", f"{bench.url}/v1/chat/completions", json=body) as found:
                    if kind == 0:
                        continue
                    text = found.read().decode()
                if found.status_code != 200 or (kind % 2 == 0 and not text.endswith("[DONE]\n\n")):
                    errors.append(text)

    url = bench.url
    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    assert (errors, url) == ([], bench.url)
    assert bench.loop.run(_other_tasks()) == []
