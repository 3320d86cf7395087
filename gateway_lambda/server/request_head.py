"""The limits of a request's head, and the heads that the gateway refuses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway_lambda.errors import Header, RequestError

LONGEST_HEAD = 65536
"""Bytes of a request's line and headers, as in h11."""
_LONGEST_TARGET = 32768
MOST_LINES = 100
"""Header lines, as in Apache and Python's own server."""


def length_in(value: bytes | None) -> int | None:
    """Return the number in a Content-Length, which the parser has checked; None without the header.

    It can begin with zeros, more than Python accepts in a number.
    """
    return int(value.lstrip(b"0") or b"0") if value is not None and value.isdigit() else None


def caller_of(client: tuple[str, int] | None, headers: Iterable[Header]) -> bytes:
    """Return the address of the caller. Behind a proxy on this machine, it is the last one that the proxy names.

    Several lines of a header are one list (RFC 9110 §5.3). The value of the proxy comes last.
    """
    address = client[0].encode() if client else b""
    if address in (b"", b"127.0.0.1", b"::1"):
        named = [value for key, value in headers if key == b"x-forwarded-for"]
        return (named[-1].rpartition(b",")[2].strip() if named else b"") or address
    return address


def check_size(target: bytes, headers: Sequence[Header]) -> None:
    """Raises `RequestError` for a head that is too long."""
    size = len(target) + sum(len(name) + len(value) + 4 for name, value in headers)
    if size > LONGEST_HEAD or len(headers) > MOST_LINES or len(target) > _LONGEST_TARGET:
        raise head_too_large(target)


def head_too_large(target: bytes) -> RequestError:
    """Return the error of a head that is too large: 414 if the target is too long, or else 431."""
    if len(target) > _LONGEST_TARGET:
        message = f"the request's target is longer than {_LONGEST_TARGET} bytes; send a shorter one"
        return RequestError(message, "request_too_large", status=414)
    bounds = (
        f"the request has more than {MOST_LINES} header lines, or more than {LONGEST_HEAD} bytes of them; send less"
    )
    return RequestError(bounds, "request_too_large", status=431)


def malformed(problem: str) -> RequestError:
    """Return the error of a request that the parser refuses."""
    return RequestError(f"this is not an HTTP request: {problem}", "invalid_http")


def check_version(version: str) -> None:
    """Raises `RequestError` for a version of HTTP that the parser accepts and this server does not."""
    if version not in ("1.0", "1.1"):
        raise RequestError(f"HTTP/{version} is not supported; use HTTP/1.1", "invalid_http", status=505)


def check_chunks(version: str, headers: Iterable[Header]) -> None:
    """Raises `RequestError` for a body in chunks that another server can read differently.

    The parser refuses the rest: two lengths, a length and chunks, folded lines, bare line feeds.
    """
    if version == "1.0":
        raise RequestError("HTTP/1.0 has no Transfer-Encoding; use HTTP/1.1", "invalid_http")
    if dict(headers).get(b"transfer-encoding", b"").lower() != b"chunked":
        raise RequestError("this Transfer-Encoding is not supported; use 'chunked'", "invalid_http", status=501)


def without_offer(method: bytes, target: bytes, version: str, headers: Sequence[Header]) -> bytes:
    """Return the bytes of a head without its offer of another protocol (`Upgrade: h2c`, as Java's HttpClient sends).

    A server can ignore an offer (RFC 9110 §7.8), but the parser ends the request at it, and the body would be lost.
    Raises `RequestError` for a head that makes no sense as a plain request.
    """
    if method == b"CONNECT":
        raise RequestError("CONNECT is not allowed here: this is not a proxy", "method_not_allowed", status=405)
    if any(name == b"upgrade" and b"websocket" in value.lower() for name, value in headers):
        message = "WebSockets are not supported; to get an answer in pieces, send a request with stream=true"
        raise RequestError(message, "unsupported_value")
    lines = [b"%s: %s\r\n" % header for header in headers if header[0] != b"upgrade"]
    return b"%s %s HTTP/%s\r\n%s\r\n" % (method, target, version.encode(), b"".join(lines))
