"""Bytes as a replica's answer, whole or streamed."""

from __future__ import annotations

from tests.gateway.scripted_tgi import STREAM_HEAD, Asked, Script, Write, reply

_PIECE = 1024 * 1024


def streamed(body: bytes) -> Script:
    """An event stream that is these bytes, ended by an empty line."""

    async def script(asked: Asked, write: Write) -> None:
        await write(STREAM_HEAD)
        for start in range(0, len(body), _PIECE):
            piece = body[start : start + _PIECE]
            await write(b"%x\r\n%s\r\n" % (len(piece), piece))
        await write(b"2\r\n\n\n\r\n0\r\n\r\n")

    return script


def whole(body: bytes, status: int = 200) -> Script:
    """A whole answer that is these bytes."""
    return reply(status, body)
