"""A port that forwards its connections to another port, until it is told to stop answering."""

from __future__ import annotations

import contextlib
import socket
import threading

from tests.real_boot.namespace import NetworkNamespace


class Forwarder:
    """It forwards from the start until `close`. Both ports are on 127.0.0.1 of the namespace."""

    def __init__(self, namespace: NetworkNamespace, *, port: int, to: int) -> None:
        self._namespace, self._to = namespace, to
        self._answers = threading.Event()
        self._answers.set()
        self._closed = False
        self._sockets: list[socket.socket] = []
        self._listener = namespace.run(lambda: socket.create_server(("127.0.0.1", port)))
        threading.Thread(target=self._accept, daemon=True).start()

    def hang(self) -> None:
        """From now on, accept connections and requests, and answer none, until `answer`."""
        self._answers.clear()

    def answer(self) -> None:
        self._answers.set()

    def close(self) -> None:
        self._closed = True
        self._answers.set()
        for one in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while not self._closed:
                client, _ = self._listener.accept()
                upstream = self._namespace.run(lambda: socket.create_connection(("127.0.0.1", self._to)))
                self._sockets += [client, upstream]
                for source, target in ((client, upstream), (upstream, client)):
                    threading.Thread(target=self._copy, args=(source, target), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._answers.wait()
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
