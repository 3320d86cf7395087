"""The answers of TGI: a whole one, and the events of a stream, with only the fields that are used."""

from __future__ import annotations

import logging
from typing import Annotated, TypeVar

import msgspec

from gateway_lambda.errors import ServiceError
from gateway_lambda.generation.choice import Finish

_LOG = logging.getLogger(__name__)
_Tokens = TypeVar("_Tokens")

_MAX_PENDING = 4 * 1024 * 1024
"""Bytes of one event. The last one holds the whole answer, of which this is about a million tokens."""
_MAX_TEXT = 1_500_000
"""Characters of a whole answer, about 400,000 tokens. Looking for calls in it takes a second."""
_MAX_TOP_TOKENS = 64 * 1024
"""Bytes of the likely tokens of one place. Twenty take 2 KB."""
_MAX_TOKENS = 300_000
"""Tokens of a whole answer, and as many likely ones: each is 140 bytes once it is decoded."""

_LARGEST = 2**53
"""Above, JSON's numbers are not exact, and no count is so large."""
Count = Annotated[int, msgspec.Meta(ge=0, le=_LARGEST)]
"""A number in an answer. If it is out of range, the answer is not from TGI."""


class Token(msgspec.Struct):
    """A generated token. Without a finite `logprob`, TGI sends null. Control tokens are `special`."""

    text: str
    special: bool = False
    logprob: float | None = None


class Details(msgspec.Struct):
    """The details of a whole answer. The lists of tokens stay undecoded, because most answers are read without them."""

    finish_reason: str
    generated_tokens: Count = 0
    prefill: msgspec.Raw = msgspec.Raw(b"[]")
    tokens: msgspec.Raw = msgspec.Raw(b"[]")
    top_tokens: msgspec.Raw = msgspec.Raw(b"[]")

    @property
    def finish(self) -> Finish:
        """Why the answer ended."""
        return finish_of(self.finish_reason)


class Generated(msgspec.Struct):
    """The body of `/generate`'s response."""

    generated_text: str
    details: Details | None = None


class LastDetails(msgspec.Struct):
    """The details in the last event of a stream. `input_length`: the tokens of the prompt, since 2.3.0."""

    finish_reason: str
    generated_tokens: Count = 0
    input_length: Count | None = None

    @property
    def finish(self) -> Finish:
        """Why the answer ended."""
        return finish_of(self.finish_reason)


class Event(msgspec.Struct):
    """One event of `/generate_stream`: a token, with `details` when it is the last; or an error."""

    token: Token | None = None
    details: LastDetails | None = None
    top_tokens: list[Token] | None = None
    error: str | None = None
    error_type: str = ""


class _LargeEvent(msgspec.Struct):
    token: Token | None = None
    details: LastDetails | None = None
    top_tokens: msgspec.Raw = msgspec.Raw(b"null")
    error: str | None = None
    error_type: str = ""


_GENERATED = msgspec.json.Decoder(Generated)
_GENERATED_LIST = msgspec.json.Decoder(tuple[Generated])
_TOKENS = msgspec.json.Decoder(list[Token])
_TOP_TOKENS = msgspec.json.Decoder(list[list[Token]] | None)
_EVENT = msgspec.json.Decoder(Event)
_LARGE_EVENT = msgspec.json.Decoder(_LargeEvent)
_LIKELY = msgspec.json.Decoder(list[Token] | None)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def finish_of(reason: str) -> Finish:
    """Return OpenAI's word for the finish reason of TGI. An unknown one is logged, and is not an error.

    TGI says `length` for an end that is the last allowed token. Such an end never gets here.
    """
    if reason == "length":
        return "length"
    if reason not in ("eos_token", "stop_sequence"):
        _LOG.warning("TGI gave an unknown finish reason, and the gateway says stop: %.80s", reason)
    return "stop"


def decode_generated(body: bytes) -> Generated:
    """Return a whole answer, also from the list of one that the `/` route gives. Raises `ServiceError`."""
    try:
        found = _GENERATED_LIST.decode(body)[0] if body[:1] == b"[" else _GENERATED.decode(body)
    except _UNREADABLE as problem:
        raise _garbage(problem) from None
    if len(found.generated_text) > _MAX_TEXT:
        raise _garbage(f"a text of more than {_MAX_TEXT} characters")
    return found


def decode_answer_tokens(details: Details) -> list[Token]:
    """Return the tokens of a whole answer. Raises `ServiceError`."""
    return _decode_tokens(_TOKENS, details.tokens)


def decode_top_tokens(details: Details) -> list[list[Token]]:
    """Return the likely tokens at each place of a whole answer. Raises `ServiceError`."""
    return _decode_tokens(_TOP_TOKENS, details.top_tokens) or []


def count_tokens(tokens: bytes) -> int:
    """Return how many tokens an undecoded list has. A text cannot have the counted bytes, because it escapes quotes."""
    return tokens.count(b'"id":')


def decode_event(data: bytes) -> Event:
    """Return one event. Raises `ServiceError`."""
    try:
        if len(data) <= _MAX_TOP_TOKENS:
            return _EVENT.decode(data)
        large = _LARGE_EVENT.decode(data)
        likely = bytes(large.top_tokens)
        if len(likely) > _MAX_TOP_TOKENS:
            raise _garbage(f"likely tokens of {len(likely)} bytes")
        return Event(large.token, large.details, _LIKELY.decode(likely), large.error, large.error_type)
    except _UNREADABLE as problem:
        raise _garbage(problem) from None


def _decode_tokens(decoder: msgspec.json.Decoder[_Tokens], raw: msgspec.Raw) -> _Tokens:
    found = bytes(raw)
    if found.count(b"{") + found.count(b"[") > _MAX_TOKENS:
        raise _garbage(f"an answer of more than {_MAX_TOKENS} tokens")
    try:
        return decoder.decode(found)
    except _UNREADABLE as problem:
        raise _garbage(problem) from None


def count_in(header: bytes | None) -> int | None:
    """Return the number in a header; None without a header, or if it is not a count."""
    if header is None or not header.isdigit() or len(header) > len(str(_LARGEST)):
        return None
    return int(header)


class EventReader:
    """Splits an event stream into the data of its events, however it is cut into reads.

    It reads LF, CRLF and CR, `data:` with or without a space, and several data lines in an event. It skips comments and
    other fields.
    """

    __slots__ = ("_after_cr", "_data", "_held", "_pending")

    def __init__(self) -> None:
        self._pending: list[bytes] = []
        """A line that has not ended, as it came."""
        self._data: list[bytes] = []
        """The data lines of an event that has not ended."""
        self._held = 0
        """Bytes of both, at least."""
        self._after_cr = False

    def feed(self, read: bytes) -> list[bytes]:
        """Return the events that `read` completes. Raises `ServiceError` for a line that is too long."""
        if not self._held and read.endswith(b"\n\n") and b"\r" not in read:
            blocks = read.split(b"\n\n")
            if all(block[:5] == b"data:" and b"\n" not in block for block in blocks[:-1]):
                self._after_cr = False
                return [block[5:] for block in blocks[:-1]]
        return self._feed_lines(read)

    def rest(self) -> list[bytes]:
        """Return the last event of a stream that has ended, if only the empty line after it is missing."""
        for data in self._feed_lines(b"\n\n"):
            if _is_json(data):
                return [data]
        return []

    def _feed_lines(self, read: bytes) -> list[bytes]:
        if self._after_cr and read:
            self._after_cr = False
            read = read.removeprefix(b"\n")
        self._after_cr = read.endswith(b"\r")
        if b"\r" in read:
            read = read.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        self._held += len(read)
        if self._held > _MAX_PENDING:
            raise _garbage(f"an event of more than {_MAX_PENDING} bytes")
        first, *others = read.split(b"\n")
        self._pending.append(first)
        if not others:
            return []
        lines = [b"".join(self._pending), *others]
        self._pending = [lines.pop()]
        found: list[bytes] = []
        for line in lines:
            if line[:5] == b"data:":
                self._data.append(line[5:].removeprefix(b" "))
            elif not line and self._data:
                found.append(b"\n".join(self._data))
                self._data.clear()
        if not self._data:
            self._held = len(self._pending[0])
        return found


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except _UNREADABLE:
        return False
    return True


def _garbage(problem: object) -> ServiceError:
    _LOG.warning("an upstream sent something that is not an answer of TGI: %s", problem)
    return ServiceError(500, "the upstream sent something that is not an answer of TGI", "upstream_error")
