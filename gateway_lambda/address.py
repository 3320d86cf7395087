"""The address of a replica: a base URL and its Host header."""

from __future__ import annotations

import re
from typing import NamedTuple

_PLACE = r"((?![\w.-]{254})[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?"
"""A name of at most 253 characters, whose labels have 1 to 63, or an IP address; and a port."""
_BASE = re.compile(rf"(?i:(https?))://({_PLACE})(/[!\"$->@-~]*)?")
_HOST = re.compile(_PLACE)
_LAST_PORT = 65535


class BadAddress(ValueError):
    """An address that cannot be used. The message quotes no value."""


class Address(NamedTuple):
    """A base URL, taken apart."""

    tls: bool
    name: str
    """Of the host, as it is looked up."""
    port: int
    path: bytes
    """Without a slash at its end."""
    host: bytes
    """The value of the Host header."""


def address(base: str, host: str | None = None) -> Address:
    """Return the address in `base`. `host`: a Host header instead of the URL's host. Raises `BadAddress`."""
    found = _BASE.fullmatch(base)
    if found is None:
        raise BadAddress(
            "use http://host or https://host in ASCII, with a port and a path if needed, without user and query"
        )
    tls = found[1].lower() == "https"
    port = int(found[4]) if found[4] else 443 if tls else 80
    if not 1 <= port <= _LAST_PORT:
        raise BadAddress(f"use a port from 1 to {_LAST_PORT}")
    if host is not None:
        check_host(host)
    name = found[3].strip("[]")
    return Address(
        tls, name, port, (found[5] or "").rstrip("/").encode(), (found[2] if host is None else host).encode()
    )


def check_host(host: str) -> None:
    """Raises `BadAddress` if `host` cannot be the value of a Host header."""
    found = _HOST.fullmatch(host)
    if found is None or not 1 <= int(found[2] or 1) <= _LAST_PORT:
        raise BadAddress("use the name of a host in ASCII, with a port if needed")
