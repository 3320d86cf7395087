"""The published port of a container, on the machine's own address."""

from __future__ import annotations

import socket
import time


class NotStarted(Exception):
    """The container could not start. `str()` is what the container runtime says."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


def listen(address: str, port: int, *, seconds: float = 10) -> socket.socket:
    """Listen on the published port. The container before can still have connections, but soon not this port.

    Raises:
        NotStarted: somebody else has it.
    """
    end = time.monotonic() + seconds
    while True:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address, port))
        except OSError:
            listener.close()
            if time.monotonic() > end:
                raise NotStarted(
                    f"failed to bind host port for {address}:{port}: address already in use", 125
                ) from None
            time.sleep(0.05)
        else:
            listener.listen(128)
            return listener
