"""Where a request goes, by its Host and its path alone.

| Host | goes to |
|---|---|
| `gateway.<domain>` | the OpenAI interface; `/services/<run>/…` to that run |
| `<run>.<domain>` | that run's own service, whatever the path |
| any other (an address, the API's own name) | as `gateway.<domain>` |

Paths are looked at as they came, without decoding: `%2f` never makes a segment.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from gateway_lambda.errors import RequestError

_SERVICES = b"/services/"


class Place(NamedTuple):
    """`run` is None for the OpenAI interface. `path` is raw, without what named the run; `prefix` is that part."""

    run: str | None
    path: bytes
    prefix: bytes = b""


def place(hosts: list[bytes], path: bytes, domain: str) -> Place:
    """Where a request with these Host headers and this raw path goes.

    `domain` is lower-case, without a dot at either end; empty: all go by path. Raises `RequestError` for several
    Hosts and for a path that climbs out of its run.
    """
    if len(hosts) > 1:
        raise RequestError("several Host headers: send one", "invalid_value")
    if domain and hosts:
        label = _label(hosts[0], domain)
        if label and label != "gateway":
            return Place(label, path)
    if not path.startswith(_SERVICES):
        return Place(None, path)
    run, slash, rest = path[len(_SERVICES) :].partition(b"/")
    if climbs(rest):
        raise RequestError("the path climbs with '..': send the path itself", "invalid_value")
    return Place(run.decode("latin-1"), slash + rest or b"/", _SERVICES + run)


def climbs(path: bytes) -> bool:
    """Whether a raw path has a segment `..`, also one that is percent-encoded or behind a backslash."""
    if b"." not in path and b"%" not in path:
        return False
    return b".." in unquote_to_bytes(path).replace(b"\\", b"/").split(b"/")


def _label(host: bytes, domain: str) -> str | None:
    """What stands before `.<domain>` in a Host header; None when it is another host."""
    name = host.decode("latin-1").lower()
    if not name.startswith("["):
        name = name.partition(":")[0]
    name = name.rstrip(".")
    if not name.endswith(domain) or len(name) <= len(domain) or name[-len(domain) - 1] != ".":
        return None
    return name[: -len(domain) - 1]
