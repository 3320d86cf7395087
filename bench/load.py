"""The load generator: a process over raw sockets. Lines of JSON on stdin say what it sends.

A line is a `Job`. It answers with a line, an `Outcome`. It checks each answer: the status, the end, and the number of
tokens.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from typing import cast

import msgspec
import uvloop

from bench.canned import TOKEN

_LENGTH = re.compile(rb"\r\ncontent-length: ?(\d+)", re.IGNORECASE)
_TOKEN = TOKEN.encode()
_CHUNKED_END = b"0\r\n\r\n"


class Job(msgspec.Struct):
    """Equal requests to send: `count` of them, or as many as fit into `seconds`."""

    port: int
    path: str
    body: str
    tokens: int
    """What every answer must contain."""
    connections: int = 1
    """Requests in flight at once; each connection sends its next one when it has its answer."""
    count: int = 0
    seconds: float = 0.0
    key: str = ""


class Outcome(msgspec.Struct):
    """The result of a job. Times are in seconds."""

    seconds: float
    count: int
    first: list[float]
    """From sending a request to the first token of its answer, one each, in the order of sending."""
    problem: str = ""
    """The first answer that was wrong; a run that has one is worth nothing."""


class Run:
    """A job that runs: connections take from it what is left to send."""

    def __init__(self, job: Job) -> None:
        self.request = (
            f"POST {job.path} HTTP/1.1\r\nhost: 127.0.0.1:{job.port}\r\nauthorization: Bearer {job.key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(job.body.encode())}\r\n\r\n{job.body}"
        ).encode()
        self.job = job
        self.begun = time.perf_counter()
        self.sent = 0
        self.done = 0
        self.first: list[float] = []
        self.problem = ""
        self.open = job.connections
        self.ended = asyncio.get_running_loop().create_future()

    def take(self) -> int | None:
        """Return the number of the next request; `None`: none is left."""
        if self.problem or (self.job.count and self.sent >= self.job.count):
            return None
        if self.job.seconds and time.perf_counter() - self.begun >= self.job.seconds:
            return None
        self.sent += 1
        self.first.append(0.0)
        return self.sent - 1

    def close_one(self) -> None:
        """Note that a connection has nothing left to do."""
        self.open -= 1
        if not self.open and not self.ended.done():
            self.ended.set_result(None)


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._pieces: list[bytes] = []
        self._tail = b""
        self._whole = 0
        self._number: int | None = None
        self._begun = 0.0
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def start(self) -> None:
        """Send the first request."""
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._number is not None:
            self._run.problem = self._run.problem or f"connection lost: {exc}"
        self._run.close_one()

    def data_received(self, data: bytes) -> None:
        if self._number is None:
            return
        if not self._run.first[self._number] and _TOKEN in data:
            self._run.first[self._number] = time.perf_counter() - self._begun
        self._pieces.append(data)
        if self._whole > 0:
            self._whole -= len(data)
            ended = self._whole == 0
        elif self._whole == 0:
            ended = self._read_head()
        else:
            self._tail = (self._tail + data)[-len(_CHUNKED_END) :]
            ended = self._tail == _CHUNKED_END
        if ended:
            self._finish()

    def _read_head(self) -> bool:
        """Read the head of the answer, if all of it has come, and return whether the body is complete too."""
        received = b"".join(self._pieces)
        end = received.find(b"\r\n\r\n")
        if end < 0:
            return False
        length = _LENGTH.search(received, 0, end + 2)
        if length:
            self._whole = end + 4 + int(length[1]) - len(received)
            return self._whole == 0
        self._whole = -1
        self._tail = received[-len(_CHUNKED_END) :]
        return self._tail == _CHUNKED_END

    def _finish(self) -> None:
        answer = b"".join(self._pieces)
        if not answer.startswith(b"HTTP/1.1 200") or answer.count(_TOKEN) < self._run.job.tokens:
            self._run.problem = self._run.problem or answer[:2000].decode("utf-8", "replace")
        self._run.done += 1
        self._next()

    def _next(self) -> None:
        self._pieces = []
        self._tail = b""
        self._whole = 0
        self._number = self._run.take()
        if self._transport is None:
            return
        if self._number is None:
            self._transport.close()
            return
        self._begun = time.perf_counter()
        self._transport.write(self._run.request)


async def carry_out(job: Job) -> Outcome:
    """Send what `job` says, and wait for all answers, for at most five minutes."""
    run = Run(job)
    loop = asyncio.get_running_loop()
    clients = [
        (await loop.create_connection(lambda: Client(run), "127.0.0.1", job.port))[1] for _ in range(job.connections)
    ]
    run.begun = time.perf_counter()
    for client in clients:
        client.start()
    try:
        await asyncio.wait_for(run.ended, 300)
    except TimeoutError:
        run.problem = run.problem or f"{run.done} of {run.sent} requests answered within five minutes"
    return Outcome(time.perf_counter() - run.begun, run.done, run.first, run.problem)


async def _serve() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        outcome = await carry_out(msgspec.json.decode(line, type=Job))
        sys.stdout.write(msgspec.json.encode(outcome).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(_serve())
