"""A port that leads somewhere else: whole answers, half-closed connections, and ends that are not answers."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from cloud.machines.nspawn.forwarder import Forwarder
from tests.support.ports import held_port

FAR_TOO_LONG = 60


@pytest.fixture
def port() -> Iterator[Callable[[Callable[[socket.socket], None] | None], socket.socket]]:
    """A function that connects through a forwarder to a server, which a function plays; `None`: nobody listens."""
    with contextlib.ExitStack() as opened:

        def connected(serve: Callable[[socket.socket], None] | None) -> socket.socket:
            if serve is None:
                address = ("127.0.0.1", opened.enter_context(held_port()))
            else:
                server = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
                address = server.getsockname()
                threading.Thread(target=_serve_one, args=(server, serve), daemon=True).start()
            listener = socket.create_server(("127.0.0.1", 0))
            opened.callback(Forwarder(listener, lambda: socket.create_connection(address)).close)
            client = socket.create_connection(listener.getsockname(), timeout=FAR_TOO_LONG)
            return opened.enter_context(client)

        yield connected


def _serve_one(server: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    connection, _ = server.accept()
    with connection:
        serve(connection)


Port = Callable[[Callable[[socket.socket], None] | None], socket.socket]


def test_an_answer_arrives_whole_after_the_client_has_said_everything(port: Port) -> None:
    def shout(connection: socket.socket) -> None:
        said = b""
        while data := connection.recv(65536):
            said += data
        connection.sendall(said.upper())

    client = port(shout)
    text = b"abc" * 200_000
    client.sendall(text)
    client.shutdown(socket.SHUT_WR)
    heard = b""
    while data := client.recv(65536):
        heard += data
    assert heard == text.upper()


def test_a_port_that_nobody_listens_on_resets(port: Port) -> None:
    with pytest.raises(ConnectionResetError):
        port(None).recv(1)


def test_an_answer_that_breaks_off_does_not_look_complete(port: Port) -> None:
    def break_off(connection: socket.socket) -> None:
        connection.sendall(b"half")
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    client = port(break_off)
    assert client.recv(4) == b"half"
    client.sendall(b"!")
    with pytest.raises(ConnectionResetError):
        client.recv(1)
