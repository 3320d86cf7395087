"""A replica that can fail in several ways. It is a process, so that it can be killed.

A line on stdin is the name of a way to fail (`WAYS`). It answers with a line: how many streams were under way. The
first argument names a file. When a generation arrives, the replica first writes the number in its prompt as a line of
this file. The second argument is its port, which its parent has too and does not listen on.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import struct
import sys

from bench.raw_http import LAST_CHUNK, STREAM_HEAD, Connection, event, plain

TOKENS = [f" t{number}" for number in range(12)]
"""The text of every answer."""
_BEAT = 0.01
"""Seconds between two tokens."""
WAYS = ("well", "reset", "close", "garbage", "500", "hang", "early", "break")
"""`early` ends its streams half way and properly, `break` half way and with a reset. With `only-` in front, it
answers well what does not ask for a generation."""

_NUMBER = re.compile(rb"number (\d+)\.")


def _tgi(text: str, details: object = None) -> bytes:
    token = {"id": 1, "text": text, "logprob": -0.5, "special": details is not None}
    return event({"index": 1, "token": token, "generated_text": "x" if details else None, "details": details})


def _openai(delta: object, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return event({"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]})


_ANSWERS = {
    b"/generate_stream": [
        *(_tgi(text) for text in TOKENS),
        _tgi("</s>", {"finish_reason": "eos_token", "generated_tokens": len(TOKENS) + 1, "input_length": 7}),
    ],
    b"/v1/chat/completions": [
        *(_openai({"content": text}) for text in TOKENS),
        _openai({}, "stop") + event(b"[DONE]"),
    ],
}
_OTHERS = {
    b"/info": plain({"version": "3.3.6", "max_total_tokens": 4096}),
    b"/tokenize": plain([{"id": 1, "text": "a"}]),
    b"/v1/models": plain({"object": "list", "data": []}),
}


class State:
    """How the process fails, and the streams that are under way."""

    def __init__(self, arrived: int) -> None:
        self.arrived = arrived
        """The file that arrivals are written to."""
        self.way = "well"
        self.streaming: set[Replica] = set()

    def turn(self, way: str) -> int:
        """Fail in that way from now on, and return how many streams are under way. They break off or stop too."""
        self.way = way
        streaming = list(self.streaming)
        if way in ("reset", "break", "hang"):
            for connection in streaming:
                connection.stop(reset=way != "hang")
        return len(streaming)


class Replica(Connection):
    """One connection of the replica, which answers in the way of `state`."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self._state = state
        self._left: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        self.stop(reset=False)
        super().connection_lost(exc)

    def answer(self, path: bytes, body: bytes) -> None:
        number = _NUMBER.search(body) if path in _ANSWERS else None
        if number:
            os.write(self._state.arrived, number[1] + b"\n")
        self._answer(path, self._state.way)

    def _answer(self, path: bytes, way: str) -> None:
        if way.startswith("only-"):
            way = way[5:] if path in _ANSWERS else "well"
        if way == "reset":
            self.stop(reset=True)
        elif way == "close":
            self._end()
        elif way == "garbage":
            self.write(b"nonsense\r\n\r\n")
            self._end()
        elif way == "500":
            self.write(plain({"message": "oops"}, status=b"500 Oops"))
        elif way != "hang":
            self._answer_well(path, way)

    def _answer_well(self, path: bytes, way: str) -> None:
        events = _ANSWERS.get(path)
        if events is None:
            self.write(_OTHERS.get(path) or plain({}, status=b"404 Not Found"))
            return
        last = {"early": LAST_CHUNK, "break": b""}.get(way)
        self._left = [*events, LAST_CHUNK] if last is None else [*events[: len(events) // 2], last]
        self._state.streaming.add(self)
        self.write(STREAM_HEAD)
        self._step()

    def stop(self, *, reset: bool) -> None:
        """Send nothing more. `reset`: end the connection by a reset."""
        self._state.streaming.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if reset and self._transport is not None:
            sock: socket.socket = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()

    def _step(self) -> None:
        data, *self._left = self._left
        if not data:
            self.stop(reset=True)
            return
        self.write(data)
        if self._left:
            self._timer = asyncio.get_running_loop().call_later(_BEAT, self._step)
        else:
            self.stop(reset=False)

    def _end(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def _serve(path: str, port: int) -> None:
    loop = asyncio.get_running_loop()
    state = State(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND))
    server = await loop.create_server(lambda: Replica(state), "127.0.0.1", port, backlog=1024, reuse_port=True)
    _say(server.sockets[0].getsockname()[1])
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while way := (await reader.readline()).decode().strip():
        _say(state.turn(way))


def _say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))
