"""The published port of a container: connections from the machine's network, led into the network of the container."""

import asyncio
import os
import socket
import struct

ADDRESS = "172.17.0.2"
"""The container's address in its own network: docker's first one. A server on 127.0.0.1 does not answer on it."""


class Forwarder:
    """Connects clients with the container's port.

    closed: while this file exists, connections from outside are reset.
    local: as soon as this file exists, connections go to 127.0.0.1 of the container.
    """

    def __init__(self, port: int, *, closed: str, local: str) -> None:
        self._port, self._closed, self._local = port, closed, local
        self.tasks: set[asyncio.Task[None]] = set()

    async def listen(self, descriptor: int, *, outside: bool) -> asyncio.Server:
        """Serve a socket that listens."""

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.ensure_future(self._serve(reader, writer, outside))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

        return await asyncio.start_server(accept, sock=socket.socket(fileno=descriptor))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, outside: bool) -> None:
        if outside and _is_there(self._closed):
            _reset(writer)
            return
        host = "127.0.0.1" if _is_there(self._local) else ADDRESS
        try:
            inner_reader, inner_writer = await asyncio.open_connection(host, self._port)
        except OSError:
            _reset(writer)
            return
        try:
            await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))
        finally:
            inner_writer.close()
            writer.close()


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until one side ends. A side that breaks takes the other with it."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.transport.abort()


def _is_there(file: str) -> bool:
    return os.path.exists(file)


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection as a closed port does."""
    at_once = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    writer.transport.abort()
