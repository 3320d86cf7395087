"""A request to a replica. Its head is written only here, from data and never from finished lines.

A byte that HTTP does not allow in its place is refused in every part, from a caller, the registry or the environment
(RFC 9110 §5, RFC 9112 §3). So no part of a request can end its head and begin another request.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence

from gateway_lambda.errors import Header

_IN_NAME = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
"""Of a token, without capitals: names are compared as they are written."""
_IN_VALUE = bytes((9, *range(32, 127), *range(128, 256)))
_METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET = re.compile(rb"/[!-~]*|\*")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_USUAL = frozenset((b"GET", b"POST"))
_NOT_AMONG_HEADERS = frozenset((b"", b"host", b"content-length", b"transfer-encoding", b"connection"))
"""They say whose the request is and where it ends, which is written here."""
_WITH_BODY = (b"POST", b"PUT", b"PATCH")
"""Methods that say the length of their body even where it is empty (RFC 9110 §8.6)."""


class NotSendable(ValueError):
    """A part of a request has a byte that HTTP does not allow there. The message quotes no value."""


class Request:
    """`head` holds all that goes before the body, and the body as well where it is there as a whole.

    `length`: bytes that follow; None: they follow in chunks. `bodyless`: the response has no body, also if its headers
    announce one.
    """

    __slots__ = ("bodyless", "head", "length")

    def __init__(
        self,
        method: bytes,
        target: bytes,
        host: bytes,
        headers: Sequence[Header],
        body: bytes | AsyncIterator[bytes] = b"",
        length: bytes | None = None,
    ) -> None:
        """`target`: raw path and query. `headers`: with lower-case names, without those that are written here.

        `length`: of a body that follows, in digits; None: it is sent in chunks. Raises `NotSendable`.
        """
        if method not in _USUAL and _METHOD.fullmatch(method) is None:
            raise NotSendable("the method is not an HTTP method; send GET, POST or another one")
        if _TARGET.fullmatch(target) is None:
            raise NotSendable("the path or the query has a byte that a URL cannot have; percent-encode it")
        names = [name for name, _ in headers]
        lines = b"".join([b"host: %s\r\n" % host, *[b"%s: %s\r\n" % header for header in headers]])
        # Without the allowed bytes, only the ends of these lines are left. This is the cheapest check of all lines.
        if lines.translate(None, _IN_VALUE) != b"\r\n" * (len(names) + 1) or b"".join(names).translate(None, _IN_NAME):
            raise _unsendable(headers)
        if not _NOT_AMONG_HEADERS.isdisjoint(names):
            raise NotSendable("a header has no name, or says where the request goes or ends; remove it")
        self.bodyless = method == b"HEAD"
        self.length: int | None = 0
        if isinstance(body, bytes):
            self.head = (
                b"%s %s HTTP/1.1\r\n%scontent-length: %d\r\n\r\n%s" % (method, target, lines, len(body), body)
                if body or method in _WITH_BODY
                else b"%s %s HTTP/1.1\r\n%s\r\n" % (method, target, lines)
            )
            return
        if length is None:
            self.length = None
            framing = b"transfer-encoding: chunked"
        elif _LENGTH.fullmatch(length):
            self.length = int(length)
            framing = b"content-length: %d" % self.length
        else:
            raise NotSendable("the length of the body is not a number")
        self.head = b"%s %s HTTP/1.1\r\n%s%s\r\n\r\n" % (method, target, lines, framing)


def _unsendable(headers: Sequence[Header]) -> NotSendable:
    """Return the error. It names the header if the name can be shown."""
    for name, value in headers:
        if not name or name.translate(None, _IN_NAME):
            return NotSendable("the name of a header has a byte that HTTP does not allow there; remove the header")
        if value.translate(None, _IN_VALUE):
            return NotSendable(
                f"the header {name[:100].decode()} has a control character; remove it, or percent-encode it"
            )
    return NotSendable("the name of the replica's host has a control character")
