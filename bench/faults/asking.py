"""Numbered streams, and how each of them ends for its caller."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from bench.faults.replica import TOKENS

WHOLE, ERROR_EVENT, REFUSED, CUT, NO_END = ENDS = ("whole", "error event", "refused", "silently cut", "no end")
_PATIENCE = 60.0
"""Seconds that a caller waits for the end."""


class Ends:
    """How the streams ended, and the longest time that one took."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.slowest = 0.0
        self.seen: Counter[str] = Counter()
        """The texts of the errors, and how often callers got each."""


async def ask_all(port: int, streams: int, at_once: int, asked: Callable[[int], Awaitable[None]]) -> Ends:
    """Ask for `streams` streams, `at_once` of them at the same time. `asked` gets the number of each before it is
    sent."""
    ends = Ends()
    numbers = iter(range(streams))

    async def caller() -> None:
        for number in numbers:
            await asked(number)
            begun = time.monotonic()
            try:
                async with asyncio.timeout(_PATIENCE):
                    end, said = read_end(await _ask(port, number))
            except TimeoutError:
                end, said = NO_END, ""
            ends.counts[end] += 1
            ends.slowest = max(ends.slowest, time.monotonic() - begun)
            if said:
                ends.seen[said] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(caller())
    return ends


async def _ask(port: int, number: int) -> bytes:
    """Return the response up to its last byte. The connection can end in any way."""
    body = json.dumps(
        {"model": "m", "messages": [{"role": "user", "content": f"number {number}."}], "stream": True}
    ).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
            b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
        )
        received = bytearray()
        try:
            while piece := await reader.read(1 << 16):
                received += piece
        except ConnectionError:
            pass
        return bytes(received)
    finally:
        writer.close()


def read_end(response: bytes) -> tuple[str, str]:
    """Return how a response ended, and the text of its error, if it ended with one."""
    head, _, body = response.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        found = body[body.find(b"{") :]
        return (REFUSED, _code(json.loads(found))) if found.startswith(b"{") else (CUT, "")
    data = [line[6:] for line in body.split(b"\n") if line.startswith(b"data: ")]
    if data and data[-1].strip() == b"[DONE]":
        return (WHOLE, "") if _text(data[:-1]) == "".join(TOKENS) else (CUT, "")
    if data and data[-1].startswith(b'{"error"'):
        return ERROR_EVENT, _code(json.loads(data[-1]))
    return CUT, ""


def _code(found: dict[str, Any]) -> str:
    return str(found["error"]["code"])


def _text(chunks: list[bytes]) -> str:
    choices: list[Any] = [choice for chunk in chunks for choice in json.loads(chunk)["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)
