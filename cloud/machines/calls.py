"""The server's side of `calling.py`: a call of a program, and who answers it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PROGRAM = Path(__file__).with_name("calling.py")
BASE_PYTHON: str = getattr(sys, "_base_executable", sys.executable)
"""Python without the packages of this project, which starts faster."""
_NO_SOCKETS = "SOCKETS: dict[str, str] = {}"


@dataclass(frozen=True, kw_only=True)
class Call:
    """A program that somebody on a machine started."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    directory: str
    files: Sequence[int]
    """Standard input, output and error."""
    connection: socket.socket

    def say(self, text: str, *, error: bool = False) -> None:
        """Write to its standard output, or to standard error."""
        data = text.encode(errors="surrogateescape")
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(self.files[2 if error else 1], data) :]

    def fail(self, text: str, status: int = 1) -> int:
        """Write a line to its standard error, and return the status."""
        self.say(f"{text}\n", error=True)
        return status

    def read(self) -> bytes:
        """Its standard input, to the end."""
        pieces: list[bytes] = []
        while piece := os.read(self.files[0], 65536):
            pieces.append(piece)
        return b"".join(pieces)

    @property
    def gone(self) -> bool:
        """Whether the program was killed."""
        ready, _, _ = select.select([self.connection], [], [], 0)
        return bool(ready)


def receive(connection: socket.socket) -> Call | None:
    """Read a call; `None`: the program was killed before it had said everything."""
    head, files, _, _ = socket.recv_fds(connection, 4, 3)
    data = b""
    if len(head) == 4 and len(files) == 3:
        length = int.from_bytes(head, "big")
        while len(data) < length and (piece := connection.recv(length - len(data))):
            data += piece
        if len(data) == length:
            request = json.loads(data)
            return Call(**request, files=files, connection=connection)
    for file in files:
        os.close(file)
    return None


def listen(path: Path) -> socket.socket:
    """Return the socket that programs connect to. Only this user may."""
    path.unlink(missing_ok=True)
    path.parent.chmod(0o700)
    listener = socket.socket(socket.AF_UNIX)
    folder = os.open(path.parent, os.O_PATH)
    try:
        listener.bind(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)
    listener.listen(128)
    return listener


class CallServer:
    """Answers calls, each in a thread of its own, until `close`."""

    def __init__(self, path: Path, answer: Callable[[Call], int]) -> None:
        self._answer = answer
        self._listener = listen(path)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more calls."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            call = receive(connection)
            if call is None:
                return
            try:
                status = self._answer(call)
            except Exception as error:  # a fault of ours must not look like an answer of the program
                status = call.fail(f"{call.name}: {type(error).__name__}: {error}", 255)
            finally:
                for file in call.files:
                    os.close(file)
            with contextlib.suppress(OSError):
                connection.sendall(bytes([status & 255]))


def write_program(path: Path, sockets: Mapping[str, Path]) -> None:
    """Write the program that hands its calls on. `sockets`: by the name of the program; empty: all others."""
    text = _PROGRAM.read_text(encoding="ascii")
    written = f"SOCKETS: dict[str, str] = {json.dumps({name: str(place) for name, place in sockets.items()})}"
    path.write_text(f"#!{BASE_PYTHON} -IS\n{text.replace(_NO_SOCKETS, written)}")
    path.chmod(0o755)
