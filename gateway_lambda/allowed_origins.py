"""Which web pages of other origins can call the gateway (CORS: fetch.spec.whatwg.org, "HTTP-CORS protocol").

No answer allows credentials, because keys travel in headers and not in cookies.
"""

from __future__ import annotations

import re

from gateway_lambda.errors import Header

ANY, NONE = "*", "none"
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(:[0-9]{1,5})?")
EXPOSED: Header = (b"access-control-expose-headers", b"*")
"""The header of an answer that the page can read."""
_VARIES: Header = (b"vary", b"Origin")


class AllowedOrigins:
    """The origins whose pages can call the gateway and read its answers."""

    def __init__(self, text: str = ANY) -> None:
        """`text`: `*` for every origin, `none`, or a list with commas. Raises `ValueError`."""
        named = [each.strip().lower() for each in text.split(",")]
        self._any = named == [ANY]
        self._named = frozenset[bytes]() if named in ([ANY], [NONE]) else frozenset(map(_checked, named))

    def headers(self, origin: bytes) -> tuple[Header, ...]:
        """The headers that let a page of `origin` read an answer."""
        if self._any:
            return ((b"access-control-allow-origin", b"*"), EXPOSED)
        if origin in self._named:
            return ((b"access-control-allow-origin", origin), EXPOSED, _VARIES)
        return (_VARIES,) if self._named else ()


def _checked(text: str) -> bytes:
    if _ORIGIN.fullmatch(text) is None:
        raise ValueError("give *, none, or origins such as https://app.example.com, with commas between them")
    return text.encode()
