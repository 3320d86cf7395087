"""The headers that a load balancer adds, changes and drops."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable

from multidict import CIMultiDict

HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect")
)
"""What belongs to one connection (RFC 9110, section 7.6.1), and `Expect`, which the load balancer answers itself."""
_VALID = re.compile(r"[A-Za-z0-9-]+")


def to_target(sent: Iterable[tuple[str, str]], *, client: str, port: int, drop_invalid: bool) -> CIMultiDict[str]:
    """Return the headers of a request for a target. `client`: the address of who asks. `port`: of the listener."""
    headers = CIMultiDict(
        (name, value)
        for name, value in sent
        if name.lower() not in HOP_BY_HOP and (not drop_invalid or _VALID.fullmatch(name))
    )
    headers["X-Forwarded-For"] = ", ".join([*headers.getall("X-Forwarded-For", []), client])
    headers["X-Forwarded-Proto"] = "http"
    headers["X-Forwarded-Port"] = str(port)
    root = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    traced = headers.get("X-Amzn-Trace-Id")
    headers["X-Amzn-Trace-Id"] = f"Self={root};{traced}" if traced else f"Root={root}"
    return headers


def to_client(sent: Iterable[tuple[str, str]]) -> CIMultiDict[str]:
    """Return the headers of a target's answer for the client."""
    return CIMultiDict((name, value) for name, value in sent if name.lower() not in HOP_BY_HOP)
