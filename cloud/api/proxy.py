"""A proxy for clients that do not find the cloud's names by themselves: HTTPS_PROXY.

It connects the cloud's names to the port with TLS, and every other name to where it really is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

_LONGEST_HEAD = 16_384
_HEAD_SECONDS = 10.0
_CONNECT_SECONDS = 15.0
_PIECE = 65_536


class Proxy:
    """Answers only CONNECT. Requests that are not encrypted need no proxy here."""

    def __init__(self, *, is_ours: Callable[[str], bool], port: int) -> None:
        """`is_ours`: whether a host is a name of the cloud's. `port`: where these are served."""
        self._is_ours = is_ours
        self._port = port
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, port: int) -> asyncio.Server:
        """Serve on 127.0.0.1. Raises `OSError`."""
        return await asyncio.start_server(self._serve, "127.0.0.1", port, limit=_LONGEST_HEAD)

    async def close(self) -> None:
        """End every connection."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            await self._connect(reader, writer)
        writer.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_HEAD_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
        method, _, rest = head.partition(b" ")
        host, _, port = rest.partition(b" ")[0].decode("latin-1").rpartition(":")
        if method != b"CONNECT" or not port.isdigit():
            await _refuse(
                writer, "405 Method Not Allowed", "this proxy connects (CONNECT host:port) and does nothing else"
            )
            return
        host = host.strip("[]").lower()
        ours = self._is_ours(host)
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                where = ("127.0.0.1", self._port) if ours else (host, int(port))
                there, away = await asyncio.open_connection(*where)
        except (OSError, TimeoutError) as problem:
            await _refuse(writer, "502 Bad Gateway", f"{host}:{port} cannot be reached: {problem or 'it is silent'}")
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_pass(reader, away))
                both.create_task(_pass(there, writer))
        finally:
            away.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(_PIECE):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        if writer.can_write_eof():
            writer.write_eof()


async def _refuse(writer: asyncio.StreamWriter, status: str, text: str) -> None:
    body = f"{text}\n".encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
