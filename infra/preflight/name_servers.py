"""The name servers and the CAA records of a domain as DNS has them: one DNS question each (RFC 1035), over UDP.

The standard library resolves only addresses, and a DNS library would be a dependency for two questions.
"""

from __future__ import annotations

import secrets
import socket
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

RESOLVERS = Path("/etc/resolv.conf")
TIMEOUT = 3.0
"""Seconds a resolver has, as resolvers themselves have it (resolv.conf(5) says 5)."""
PORT = 53
_NS, _CAA, _INTERNET, _RECURSION_WANTED, _HEADER = 2, 257, 1, 0x0100, struct.Struct("!6H")
_FAILED, _NO_SUCH_NAME, _TRUNCATED = 2, 3, 0x0200

T = TypeVar("T")


class _Record(NamedTuple):
    owner: str
    at: int
    """Where its data begins in the answer."""
    length: int


def ask_name_servers(domain: str) -> Sequence[str] | Literal["failed"] | None:
    """Ask this machine's resolvers for the name servers of a domain. Empty: it has none. `failed`: resolvers found no
    server that answers for it. `None`: no resolver answered."""
    failed = False
    for address in _resolvers():
        servers = ask_resolver(domain, (address, PORT), timeout=TIMEOUT)
        if servers == "failed":
            failed = True
        elif servers is not None:
            return servers
    return "failed" if failed else None


def ask_caa(domain: str) -> Sequence[tuple[str, str]] | None:
    """Ask this machine's resolvers for the CAA records of a domain (RFC 8659), as (tag, value): `("issue",
    "amazon.com")`. Empty: it has none. `None`: no resolver answered."""
    for address in _resolvers():
        found = ask_resolver_for_caa(domain, (address, PORT), timeout=TIMEOUT)
        if found is not None:
            return found
    return None


def ask_resolver(domain: str, address: tuple[str, int], *, timeout: float) -> Sequence[str] | Literal["failed"] | None:
    """As `ask_name_servers`, of one resolver at an address and port. `timeout` in seconds."""
    return _ask(domain, _NS, address, timeout, _name_servers)


def ask_resolver_for_caa(domain: str, address: tuple[str, int], *, timeout: float) -> Sequence[tuple[str, str]] | None:
    """As `ask_caa`, of one resolver at an address and port. `timeout` in seconds."""
    found = _ask(domain, _CAA, address, timeout, _caa)
    return None if found == "failed" else found


def _ask(
    domain: str, kind: int, address: tuple[str, int], timeout: float, read: Callable[[bytes, Sequence[_Record], str], T]
) -> T | Literal["failed"] | None:
    number = secrets.randbits(16)
    try:
        question = _question(number, domain, kind)
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as connection:
            connection.settimeout(timeout)
            connection.connect(address)
            connection.send(question)
            answer = connection.recv(4096)
        records = _records(answer, number, kind)
        if records is None or isinstance(records, str):
            return records
        return read(answer, records, _dns_name(domain))
    except (OSError, ValueError, IndexError, struct.error):
        return None


def _name_servers(answer: bytes, records: Sequence[_Record], domain: str) -> Sequence[str]:
    return [_read_name(answer, record.at)[0] for record in records if record.owner == domain]


def _caa(answer: bytes, records: Sequence[_Record], _domain: str) -> Sequence[tuple[str, str]]:
    """The owner of a record can be another name: that of an alias."""
    found: list[tuple[str, str]] = []
    for record in records:
        data = answer[record.at : record.at + record.length]
        end = 2 + data[1]
        found.append((data[2:end].decode("ascii").lower(), data[end:].decode("ascii")))
    return found


def _resolvers() -> list[str]:
    try:
        lines = RESOLVERS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    words = [line.split() for line in lines]
    return [word[1].partition("%")[0] for word in words if len(word) > 1 and word[0] == "nameserver"]


def _question(number: int, domain: str, kind: int) -> bytes:
    labels = _dns_name(domain).encode("ascii").split(b".")
    name = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return _HEADER.pack(number, _RECURSION_WANTED, 1, 0, 0, 0) + name + struct.pack("!2H", kind, _INTERNET)


def _dns_name(domain: str) -> str:
    """The name in DNS. Raises ValueError if the text cannot be a name."""
    return ".".join(label.encode("idna").decode("ascii") for label in domain.lower().split("."))


def _records(answer: bytes, number: int, kind: int) -> Sequence[_Record] | Literal["failed"] | None:
    """The records of one kind in an answer; `None`: it answers another question, or is incomplete."""
    found, flags, questions, answers, _, _ = _HEADER.unpack_from(answer)
    status = flags & 0xF
    if found == number and status == _FAILED:
        return "failed"
    if found != number or flags & _TRUNCATED or status not in (0, _NO_SUCH_NAME):
        return None
    at = _HEADER.size
    for _ in range(questions):
        at = _read_name(answer, at)[1] + 4
    records: list[_Record] = []
    for _ in range(answers):
        owner, at = _read_name(answer, at)
        this, _, _, length = struct.unpack_from("!2HIH", answer, at)
        at += 10
        if this == kind:
            records.append(_Record(owner, at, length))
        at += length
    return records


def _read_name(message: bytes, at: int) -> tuple[str, int]:
    """A name and where it ends. The rest of a name can be at another place of the message; the number of such jumps is
    limited."""
    labels: list[str] = []
    end: int | None = None
    for _ in range(128):
        length = message[at]
        if length == 0:
            return ".".join(labels).lower(), at + 1 if end is None else end
        if length >= 0xC0:
            end = at + 2 if end is None else end
            at = struct.unpack_from("!H", message, at)[0] & 0x3FFF
            continue
        labels.append(message[at + 1 : at + 1 + length].decode("ascii"))
        at += 1 + length
    raise ValueError("a name without end")
