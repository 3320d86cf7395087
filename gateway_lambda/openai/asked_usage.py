"""The usage of a stream that the gateway asks for, because the tokens of the caller's key have a limit.

A server of OpenAI's API says the tokens of a stream only if `stream_options.include_usage` asks for them. If the caller
does not ask, the gateway asks, and the caller does not get the chunk with the usage.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import msgspec

from gateway_lambda.bounded_json import JsonRefused, TooMuchJson, count_values, decode_bounded
from gateway_lambda.errors import RequestError


class _Stream(msgspec.Struct):
    """What a request says of its stream, undecoded."""

    stream: msgspec.Raw = msgspec.Raw(b"false")
    stream_options: msgspec.Raw = msgspec.Raw(b"")


class _Chunk(msgspec.Struct):
    choices: list[msgspec.Raw] | None = None
    usage: dict[str, Any] | None = None


_STREAM = msgspec.json.Decoder(_Stream)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_CHUNK = msgspec.json.Decoder(_Chunk)


def asking_for_usage(body: bytes) -> bytes | None:
    """Return the body of a request for a stream, made to ask for the usage; its other fields stay as they are.

    `None`: it is no such request, it asks already, or its server will refuse it. Raises `RequestError` for too many
    values, if it has `stream_options` without it.
    """
    try:
        found = _STREAM.decode(body)
        if not decode_bounded(bytes(found.stream)):  # some servers read 0 as false, and refuse options without a stream
            return None
        written = bytes(found.stream_options)
        if not written:
            return body.rstrip()[:-1] + b',"stream_options":{"include_usage":true}}'
        said = decode_bounded(written)
        options = cast("dict[str, Any]", said if isinstance(said, dict) else {})
        if (said is not None and said is not options) or options.get("include_usage") is True:
            return None
        count_values(body)
        fields = _FIELDS.decode(body)
    except TooMuchJson as problem:
        raise RequestError(f"the body has {problem}", "invalid_value") from None
    except (JsonRefused, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    fields["stream_options"] = msgspec.Raw(msgspec.json.encode({**options, "include_usage": True}))
    return msgspec.json.encode(fields)


class WithoutUsage:
    """The lines of a stream without the event that has the usage and no choices. `take`: gives whole lines."""

    __slots__ = ("_ends", "_take")

    def __init__(self, take: Callable[[bytes], bytes]) -> None:
        self._take = take
        self._ends = False
        """The blank line that ends the event is still to come."""

    def take(self, piece: bytes) -> bytes:
        """Return what of a piece is passed on now."""
        lines = self._take(piece)
        if not self._ends and b'"usage"' not in lines:
            return lines
        return b"".join(line for line in lines.splitlines(keepends=True) if self._goes_on(line))

    def _goes_on(self, line: bytes) -> bool:
        ended, self._ends = self._ends and line.isspace(), line.startswith(b"data:") and _has_usage_alone(line[5:])
        return not ended and not self._ends


def _has_usage_alone(data: bytes) -> bool:
    """Whether a chunk has the usage and no choices. Servers write such a chunk before `[DONE]`, if the request asks."""
    try:
        chunk = _CHUNK.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return chunk.choices == [] and chunk.usage is not None
