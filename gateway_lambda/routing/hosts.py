"""Where a request goes. Only its Host and its path decide: docs/gateway.md#where-a-request-goes.

Paths are never decoded: `%2f` does not begin a segment. A path with a segment `..` is refused at every Host, because
servers behind the gateway read it differently, and it could arrive at another run.
"""

from __future__ import annotations

from typing import NamedTuple

from gateway_lambda.errors import RequestError
from gateway_lambda.server.climbing import refuse_climbing

_SERVICES = b"/services/"


class Place(NamedTuple):
    """`run` names a run; None means the OpenAI API. `path` is raw, without the part that names the run (`prefix`)."""

    run: str | None
    path: bytes
    prefix: bytes = b""


def place(hosts: list[bytes], path: bytes, domain: str) -> Place:
    """Where a request with these Host headers and this raw path goes.

    `domain` is lower-case, without a dot at either end; empty: all go by path. Raises `RequestError` for several
    Hosts and for a path that climbs.
    """
    refuse_climbing(path)
    if len(hosts) > 1:
        raise RequestError("the request has several Host headers; send one", "invalid_value")
    if domain and hosts:
        label = _label(hosts[0], domain)
        if label and label != "gateway":
            return Place(label, path)
    if not path.startswith(_SERVICES):
        return Place(None, path)
    run, slash, rest = path[len(_SERVICES) :].partition(b"/")
    return Place(run.decode("latin-1"), slash + rest or b"/", _SERVICES + run)


def _label(host: bytes, domain: str) -> str | None:
    """What stands before `.<domain>` in a Host header; None when it is another host."""
    name = host.decode("latin-1").lower()
    if not name.startswith("["):
        name = name.partition(":")[0]
    name = name.rstrip(".")
    if not name.endswith(domain) or len(name) <= len(domain) or name[-len(domain) - 1] != ".":
        return None
    return name[: -len(domain) - 1]
