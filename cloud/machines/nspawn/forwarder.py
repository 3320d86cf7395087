"""A port that leads its connections somewhere else, such as from one network namespace into another."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

_AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER: the end of the connection is a reset."""


class Forwarder:
    """It forwards from the start until `close`."""

    def __init__(self, listener: socket.socket, connect: Callable[[], socket.socket]) -> None:
        """`connect` returns a new connection to where clients shall get. If it fails, the client gets a reset."""
        self._listener, self._connect = listener, connect
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections. Those that are there go on."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def wait_to_pass(self) -> None:
        """Called before data is passed on, in either direction."""

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            try:
                upstream = self._connect()
            except OSError:
                _reset(client)
                return
            with upstream:
                back = threading.Thread(target=self._copy, args=(upstream, client), daemon=True)
                back.start()
                self._copy(client, upstream)
                back.join()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        """Copy until one side ends. A side that breaks takes the other with it."""
        try:
            while data := source.recv(65536):
                self.wait_to_pass()
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            for one in (source, target):
                _reset(one)


def _reset(connection: socket.socket) -> None:
    """Let the connection end as one to a closed port does, and wake up who waits for it."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        connection.shutdown(socket.SHUT_RD)
