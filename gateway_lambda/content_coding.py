"""Content codings (RFC 9110 §8.4.1): what came compressed, decoded within a bound."""

from __future__ import annotations

import zlib

from gateway_lambda.errors import RequestError, too_large

_GZIP, _ZLIB, _IDENTITY = (b"gzip", b"x-gzip"), b"deflate", b"identity"
_GZIP_BITS, _ZLIB_BITS = 31, 15
_GZIP_MAGIC = b"\x1f\x8b"


class NotDecoded(ValueError):
    """A body whose coding is unknown, which is not what its coding says, or which is longer than its bound."""


class TooLong(NotDecoded):
    """A body that is longer than its bound."""


def check_coding(coding: bytes) -> None:
    """Raises `RequestError` for a request with a coding that the gateway does not decode."""
    if _name(coding) not in (*_GZIP, _IDENTITY):
        raise RequestError(
            f"Content-Encoding: found {coding[:40].decode('latin-1')!r}, but only gzip can be decoded here; send the "
            "body without a coding, or with gzip",
            "unsupported_value",
            status=415,
            headers=((b"accept-encoding", b"gzip"),),
        )


def decoded_request(body: bytes, coding: bytes, limit: int) -> bytes:
    """The body of a request without its coding. Raises `RequestError` above `limit` bytes, and for broken gzip.

    A body that is plain despite the header is taken as it is: AWS's API decodes bodies before they get here.
    """
    if not body.startswith(_GZIP_MAGIC):
        return body
    try:
        return decoded(body, coding, limit)
    except TooLong:
        raise too_large(limit) from None
    except NotDecoded as problem:
        raise RequestError(f"the body is broken gzip: {problem}", "invalid_value") from None


def decoded(body: bytes, coding: bytes | None, limit: int) -> bytes:
    """`body` without its `coding`. No more than `limit` bytes are decoded. Raises `NotDecoded`."""
    name = _name(coding or _IDENTITY)
    if name == _IDENTITY:
        return body
    if name not in (*_GZIP, _ZLIB):
        raise NotDecoded(f"the coding {name[:40].decode('latin-1')!r} is unknown")
    decoder = zlib.decompressobj(_ZLIB_BITS if name == _ZLIB else _GZIP_BITS)
    try:
        found = decoder.decompress(body, limit + 1)
    except zlib.error as problem:
        raise NotDecoded(str(problem)) from None
    if len(found) > limit:
        raise TooLong(f"it has more than {limit} bytes")
    if not decoder.eof or decoder.unused_data:
        raise NotDecoded("bytes follow its end" if decoder.eof else "it ends too early")
    return found


def _name(coding: bytes) -> bytes:
    return coding.strip().lower()
