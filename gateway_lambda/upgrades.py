"""Requests that offer another protocol, such as HTTP/2 without TLS (`Upgrade: h2c`), as Java's HttpClient does.

An offer may be ignored (RFC 9110 §7.8), and is; but uvicorn's parser ends a request at an offer, and its body is lost.
"""

from __future__ import annotations

import re

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_OFFER = re.compile(rb"\r\nupgrade:(?![ \t]*websocket)[^\r\n]*", re.IGNORECASE)


class DecliningProtocol(HttpToolsProtocol):
    """uvicorn's, which is not shown what is offered. WebSockets have no body to lose."""

    def data_received(self, data: bytes) -> None:
        """Bytes of a connection, as they come. A head in pieces is not looked through: clients send it whole."""
        between = not self.cycle or (self.cycle.response_complete and not self.cycle.more_body)
        if between and b"pgrade" in data:
            head, end, rest = data.partition(b"\r\n\r\n")
            data = _OFFER.sub(b"", head) + end + rest
        super().data_received(data)
