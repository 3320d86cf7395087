"""A TGI that says what a test tells it to, byte for byte, and remembers its requests (docs/translation.md#cases)."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.gateway.standing_clock import silence

INFO = {
    "version": "3.3.6",
    "max_input_tokens": 4095,
    "max_total_tokens": 4096,
    "max_stop_sequences": 4,
    "max_best_of": 2,
    "model_sha": "abc",
    "docker_label": None,
}
ADDS_BOS = [{"id": 1, "text": "<s>", "start": 0, "stop": 0}, {"id": 2, "text": "a", "start": 0, "stop": 1}]
ADDS_NONE = [{"id": 2, "text": "a", "start": 0, "stop": 1}]


@dataclass
class Asked:
    """One request that arrived. `closed` is set when its connection was closed before the answer's end."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    closed: threading.Event = field(default_factory=threading.Event)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def parameters(self) -> dict[str, Any]:
        return self.json["parameters"]

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)


Write = Callable[[bytes], Awaitable[None]]
Script = Callable[[Asked, Write], Awaitable[None]]
"""Writes a whole HTTP response, head and all. Returning keeps the connection; raising `Hangup` ends it."""


class Hangup(Exception):
    """The connection ends here."""


class Tgi:
    """Listens on a port of 127.0.0.1 in the loop it is started in. Nobody else gets the port before `close`.

    `replies` are used up in order by `/generate` and `/generate_stream`; then `usual` answers.
    """

    def __init__(self) -> None:
        self.info: dict[str, Any] | None = dict(INFO)
        self.tokens: list[dict[str, Any]] | None = ADDS_BOS
        self.replies: deque[Script] = deque()
        self.usual: Script = answer("Hel", "lo", " world", "</s>*")
        self.asked: list[Asked] = []
        self.port = 0
        self.connections = 0
        self.on_body: Callable[[bytes], Any] = len
        """Called with what has come of a chunked request body."""
        self._held: socket.socket | None = None
        """Has the port too, and never listens."""
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def generated(self) -> list[Asked]:
        """The requests for generations, in the order of their arrival."""
        return [asked for asked in self.asked if asked.path.startswith("/generate")]

    async def start(self) -> None:
        if self._held is None:
            self._held = socket.socket()
            self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            self._held.bind(("127.0.0.1", self.port))
            self.port = self._held.getsockname()[1]
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=1 << 26, reuse_port=True)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            for writer in self._writers:
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    async def close(self) -> None:
        """Stop, and give the port back."""
        await self.stop()
        if self._held is not None:
            self._held.close()
            self._held = None

    async def drop_connections(self) -> None:
        """Close those that are open, as servers do with idle ones."""
        for writer in tuple(self._writers):
            writer.close()
            await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.connections += 1
        try:
            while True:
                asked = await _read_request(reader, self.on_body)
                self.asked.append(asked)
                answering = asyncio.ensure_future(self._script_for(asked)(asked, _writing(writer)))
                leaving = asyncio.ensure_future(reader.read(1))
                done, _ = await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
                if leaving in done and answering not in done:
                    leaving.exception()  # a reset, which asyncio would log later, within another test
                    asked.closed.set()
                    answering.cancel()
                    return
                leaving.cancel()
                await asyncio.gather(leaving, return_exceptions=True)
                if not leaving.cancelled() and leaving.exception() is None and leaving.result():
                    raise RuntimeError("a request was sent before the answer to the last one was complete")
                try:
                    await answering
                except ConnectionError:
                    asked.closed.set()
                    raise
        except (Hangup, asyncio.IncompleteReadError, ConnectionError):
            writer.transport.abort() if self._server is None else writer.close()
        finally:
            self._writers.discard(writer)
            writer.close()

    def _script_for(self, asked: Asked) -> Script:
        path = asked.path.partition("?")[0]
        if path == "/info":
            return reply(200, json.dumps(self.info)) if self.info is not None else reply(404, "")
        if path == "/tokenize":
            return reply(200, json.dumps(self.tokens)) if self.tokens is not None else reply(404, "")
        return self.replies.popleft() if self.replies else self.usual


async def _read_request(reader: asyncio.StreamReader, on_body: Callable[[bytes], Any]) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in head[1:] if line)]
    known = {name.lower(): value for name, value in headers}
    body = b""
    if "content-length" in known:
        body = await reader.readexactly(int(known["content-length"]))
    elif known.get("transfer-encoding") == "chunked":
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += (await reader.readexactly(size + 2))[:-2]
            on_body(body)
        await reader.readexactly(2)
    return Asked(method, path, headers, body)


def _writing(writer: asyncio.StreamWriter) -> Write:
    async def write(data: bytes) -> None:
        writer.write(data)
        await writer.drain()

    return write


def token(text: str, number: int = 1, logprob: float | None = -0.5) -> dict[str, Any]:
    """A token; a `*` at the end of its text marks it as special."""
    special = len(text) > 1 and text.endswith("*")
    return {"id": number, "text": text[:-1] if special else text, "logprob": logprob, "special": special}


def answer(
    *texts: str,
    finish: str = "eos_token",
    text: str | None = None,
    prompt_tokens: int | None = 7,
    prefill: int = 0,
    input_length: int | None = 7,
) -> Script:
    """What TGI says when it generates these tokens, whole or as a stream, by the path it is asked at."""
    tokens = [token(each, number) for number, each in enumerate(texts)]
    whole = "".join(each["text"] for each in tokens if not each["special"]) if text is None else text

    async def script(asked: Asked, write: Write) -> None:
        if asked.path.endswith("_stream"):
            await stream(*events(*texts, finish=finish, text=whole, input_length=input_length))(asked, write)
            return
        details = {
            "finish_reason": finish,
            "generated_tokens": len(tokens),
            "seed": None,
            "prefill": [{"id": 1, "text": "x", "logprob": None}] * prefill,
            "tokens": tokens,
        }
        headers = {} if prompt_tokens is None else {"x-prompt-tokens": str(prompt_tokens)}
        body = json.dumps({"generated_text": whole, "details": details})
        await reply(200, body, **headers)(asked, write)

    return script


def events(
    *texts: str, finish: str | None = "eos_token", text: str | None = None, input_length: int | None = 7
) -> list[bytes]:
    """The events for these tokens; the last carries the details, unless `finish` is None."""
    found: list[bytes] = []
    for number, each in enumerate(texts):
        details = None
        if number == len(texts) - 1 and finish is not None:
            details = {"finish_reason": finish, "generated_tokens": len(texts), "seed": None}
            if input_length is not None:
                details["input_length"] = input_length
        event = {
            "index": number + 1,
            "token": token(each, number),
            "top_tokens": [],
            "generated_text": text if details else None,
            "details": details,
        }
        found.append(event_bytes(event))
    return found


def event_bytes(event: dict[str, Any]) -> bytes:
    """One event as TGI writes it: no space after `data:`, text as UTF-8."""
    return b"data:" + json.dumps(event, ensure_ascii=False).encode() + b"\n\n"


def error_event(message: str, kind: str) -> bytes:
    """TGI's error in a stream."""
    return event_bytes({"error": message, "error_type": kind})


def reply(status: int, body: str | bytes, content_type: str = "application/json", **headers: str) -> Script:
    """A whole response."""
    data = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Something", f"content-type: {content_type}", f"content-length: {len(data)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]

    async def script(asked: Asked, write: Write) -> None:
        await write("\r\n".join([*lines, "", ""]).encode() + data)

    return script


def failure(status: int, message: str, kind: str) -> Script:
    """TGI's error response."""
    return reply(status, json.dumps({"error": message, "error_type": kind}))


STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def stream(*pieces: bytes | Awaitable[Any] | float) -> Script:
    """A streamed response: bytes are written as a chunk of their own, awaitables are awaited, its end is proper."""
    return _stream(pieces, ends=True)


def broken_stream(*pieces: bytes) -> Script:
    """A streamed response whose connection closes after the pieces, without the end of the response."""
    return _stream(pieces, ends=False)


def _stream(pieces: tuple[Any, ...], *, ends: bool) -> Script:
    async def script(asked: Asked, write: Write) -> None:
        await write(STREAM_HEAD)
        for piece in pieces:
            if isinstance(piece, bytes):
                await write(b"%x\r\n%s\r\n" % (len(piece), piece))
                await asyncio.sleep(0)
            else:
                await piece
        if not ends:
            raise Hangup
        await write(b"0\r\n\r\n")

    return script


async def never(asked: Asked, write: Write) -> None:
    """No answer at all."""
    await asyncio.Event().wait()


def never_for(seconds: float) -> Script:
    """No answer, while so much time passes. Needs the fixture `clock`."""

    async def script(asked: Asked, write: Write) -> None:
        await silence(seconds)

    return script


async def hang_up(asked: Asked, write: Write) -> None:
    """The connection closes before the first byte."""
    raise Hangup
