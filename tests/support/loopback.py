"""Keeps a Python process to this machine.

The guard is an audit hook, so that it sees every connection that Python opens, whatever library opens it. This module
needs only the standard library, because clients run under it in environments of their own.
"""

from __future__ import annotations

import ipaddress
import sys
from typing import Any


class OutsideLoopback(RuntimeError):
    """A test reached for something beyond this machine."""


def hold() -> None:
    """Refuse every connection and look-up beyond this machine, from now on."""
    sys.addaudithook(_refuse_the_outside)


def _refuse_the_outside(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" or event == "socket.sendto":
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    if not _is_here(host):
        raise OutsideLoopback(f"{event} to {host}: tests use loopback only; serve what is needed on 127.0.0.1")


def _is_here(host: object) -> bool:
    """Whether an address is this machine's own; a Unix socket's path (no host) is."""
    if isinstance(host, (bytes, bytearray)):
        host = host.decode(errors="replace")
    if not isinstance(host, str) or host in ("", "localhost") or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
