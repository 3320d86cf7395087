"""A port of a machine that forwards its connections to another port, until it is told to stop answering."""

from __future__ import annotations

import socket
import threading

from cloud.machines.nspawn.forwarder import Forwarder
from cloud.machines.nspawn.namespace import NetworkNamespace


class HangingPort(Forwarder):
    """Both ports are on 127.0.0.1 of the namespace."""

    def __init__(self, namespace: NetworkNamespace, *, port: int, to: int) -> None:
        self._answers = threading.Event()
        self._answers.set()
        listener = namespace.run(lambda: socket.create_server(("127.0.0.1", port)))
        super().__init__(listener, lambda: namespace.run(lambda: socket.create_connection(("127.0.0.1", to))))

    def hang(self) -> None:
        """From now on, accept connections and requests, and answer none, until `answer`."""
        self._answers.clear()

    def answer(self) -> None:
        self._answers.set()

    def close(self) -> None:
        self.answer()
        super().close()

    def wait_to_pass(self) -> None:
        self._answers.wait()
