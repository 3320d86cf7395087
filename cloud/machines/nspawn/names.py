"""The name server of a machine: for the machine itself, every name is that of an image registry."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import threading

_A, _IN = 1, 1
_ANSWER, _NO_SUCH_NAME = 0x8180, 0x8183
"""Flags of an answer (RFC 1035, section 4.1.1): recursion was desired and is available; and no such name."""
_NAME_AT_12 = 0xC00C
"""A pointer to the name of the question, which comes after the header."""
_SECONDS = 60


class NameServer:
    """It answers from the start until `close`. Containers get no names, as on a machine without a network."""

    def __init__(self, address: str, *, machine: str) -> None:
        """Listen on `address`, port 53. `machine`: the network of the addresses that the machine itself asks from."""
        self._address, self._machine = address, ipaddress.ip_network(machine)
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.bind((address, 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                query, sender = self._socket.recvfrom(512)
                known = ipaddress.ip_address(sender[0]) in self._machine
                with contextlib.suppress(ValueError, struct.error):
                    self._socket.sendto(answer(query, self._address if known else None), sender)


def answer(query: bytes, address: str | None) -> bytes:
    """Return the answer to a question: `address` for every name, or that there is no such name.

    Raises:
        ValueError, struct.error: it is not a question.
    """
    end = query.index(b"\0", 12) + 5
    question = query[12:end]
    kind, _ = struct.unpack(">HH", query[end - 4 : end])
    found = address is not None and kind == _A
    header = query[:2] + struct.pack(">HHHHH", _NO_SUCH_NAME if address is None else _ANSWER, 1, int(found), 0, 0)
    if not found or address is None:
        return header + question
    record = struct.pack(">HHHIH", _NAME_AT_12, _A, _IN, _SECONDS, 4) + socket.inet_aton(address)
    return header + question + record
