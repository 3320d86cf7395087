"""Event streams of models whose server has OpenAI's API: copied, and never cut without an error.

A stream that breaks, or ends without the usual end of its route, gets an error event. The last bytes are kept for this,
and are read only when the stream has ended.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from typing import Any, cast

import msgspec

from gateway_lambda.errors import GatewayError, ServiceError
from gateway_lambda.openai.asked_usage import WithoutUsage
from gateway_lambda.routing.passed_usage import usage_in
from gateway_lambda.routing.proxy import response_headers
from gateway_lambda.server.exchange import Exchange
from gateway_lambda.server.recorded import Usage
from gateway_lambda.upstream.reply import Reply

_KEPT = 4
"""Pieces that are kept of the end, whole lines each: name, data and end of a last event, and one to spare."""
_LONGEST_HELD = 64 * 1024
"""Bytes of a line that wait for its end. A longer line passes as it comes."""
_LINE_FEED = 10
_DONE = (b"data: [DONE]", b"data:[DONE]")
END_WITH_DONE = (b"/chat/completions", b"/completions")
"""Routes whose answers have choices, and whose streams end with `[DONE]` or an error, and with nothing else."""
_ERROR = re.compile(rb'^data: ?\{\s*"error"\s*:\s*[{"]', re.MULTILINE)
_LAST_NAMES: dict[bytes, frozenset[str]] = {
    b"/responses": frozenset(
        ("response.completed", "response.failed", "response.incomplete", "response.cancelled", "error")
    ),
    b"/messages": frozenset(("message_stop", "error")),
}
"""Routes whose last event has one of these names. Of other routes, a proper end of the response is the end."""


async def pass_events(
    exchange: Exchange, reply: Reply, route: bytes, request: bytes, *, with_usage: bool = True
) -> None:
    """Pass on the stream that answers `request`, as it comes. Errors are events, and are not raised. Without
    `with_usage`, the gateway itself has asked for the chunk with the usage, and removes it."""
    exchange.stream = True
    kept = response_headers(exchange, reply, dict(reply.headers))
    headers = [header for header in kept if header[0] != b"content-length"]
    await exchange.start_as(reply.status, headers)
    passed = PassthroughEvents(route)
    take = passed.take if with_usage else WithoutUsage(passed.take).take
    last = b""
    try:
        while piece := await reply.piece():
            exchange.first_token = exchange.first_token or time.monotonic()
            data = take(piece)
            if reply.ended:
                last = data
                break
            if data:
                await exchange.write(data)
        last += passed.end(request)
        if passed.told_error:
            exchange.error = "upstream_error"
            reply.fail()
    except GatewayError as error:
        exchange.error = None if passed.complete else error.code
        reply.fail()
        last += passed.fail(error)
    except asyncio.CancelledError:
        exchange.usage = passed.usage
        if not exchange.client_left and not exchange.done:
            words = exchange.last_words
            exchange.error = words.code
            await exchange.finish(passed.fail(words))
        raise
    exchange.usage = passed.usage
    await exchange.finish(last)


class PassthroughEvents:
    """The events of one stream. Only whole lines are passed on, so that no event is cut."""

    __slots__ = ("_held", "_kept", "_names", "_route", "_seen")

    def __init__(self, route: bytes) -> None:
        self._route = route
        self._names = _LAST_NAMES.get(route)
        self._held = b""
        """The beginning of a line."""
        self._kept: deque[bytes] = deque(maxlen=_KEPT)
        """The end of what went on."""
        self._seen = ""
        """The name of the newest event, on routes where it says that the end is there."""

    @property
    def told_error(self) -> bool:
        """Whether the upstream said, near the end, that it failed."""
        return _ERROR.search(b"".join(self._kept) + self._held) is not None

    @property
    def complete(self) -> bool:
        """Whether the upstream's own end has arrived."""
        return self._ended(self._held) or self._ended()

    @property
    def usage(self) -> Usage | None:
        """The usage that the upstream said near the end."""
        return usage_in(b"".join(self._kept) + self._held)

    def take(self, piece: bytes) -> bytes:
        """Return what can be passed on now: what was held back, and the whole lines of a piece."""
        if self._held or piece[-1] != _LINE_FEED:
            piece = self._whole_lines(piece)
            if not piece:
                return b""
        self._kept.append(piece)
        if self._names is not None:
            self._look_for_name(piece)
        return piece

    def end(self, request: bytes) -> bytes:
        """Return the last bytes of a stream whose response has ended. Raises `ServiceError` if the stream was cut.

        Servers that never send `[DONE]` end after the choice's finish reason. Clients wait for it, so it is added.
        """
        known = self._names is not None or self._route in END_WITH_DONE
        if known and not self._ended(self._held):
            if self._route in END_WITH_DONE and _has_one_choice(request) and _has_finished(self._lines(self._held)):
                return self._held + b"data: [DONE]\n\n"
            raise ServiceError(
                500,
                "the upstream ended its stream before the answer was complete; the last event is missing "
                f"({'data: [DONE]' if self._names is None else ' or '.join(sorted(self._names))})",
                "upstream_incomplete",
            )
        return self._held

    def fail(self, error: GatewayError) -> bytes:
        """Return the last bytes of a stream that was cut: an error event, unless the upstream's own end has arrived."""
        if self._ended(self._held):
            return self._held
        return b"" if self.complete else self._between() + error.event(named=self._names is not None)

    def _whole_lines(self, piece: bytes) -> bytes:
        piece = self._held + piece
        end = max(piece.rfind(b"\n"), piece.rfind(b"\r")) + 1
        if len(piece) - end > _LONGEST_HELD:
            end = len(piece)
        self._held = piece[end:]
        return piece[:end]

    def _look_for_name(self, lines: bytes) -> None:
        if b"event:" not in lines:
            return
        start = lines.rfind(b"\nevent:") + 1
        if start or lines.startswith(b"event:"):
            end = lines.find(b"\n", start)
            self._seen = lines[start + 6 : end if end > 0 else None].strip().decode("latin-1")

    def _lines(self, more: bytes = b"") -> list[bytes]:
        """The last lines with their ends."""
        return (b"".join(self._kept) + more).splitlines(keepends=True)

    def _ended(self, more: bytes = b"") -> bool:
        """Whether the last event is an end, and is whole: `[DONE]`, an error, or an event with one of the route's last
        names."""
        lines = self._lines(more)
        last = next((line for line in reversed(lines) if not line.isspace() and line[:1] != b":"), b"")
        if last.startswith(_DONE):
            return True
        found = _last_event(lines)
        names = self._names or ()
        if found.get("error") or found.get("type") in ("error", *names):
            return True
        return self._seen in names and last.endswith((b"\n", b"\r")) and not last.startswith(b"event:")

    def _between(self) -> bytes:
        """Return what ends an event that has begun, before the next event."""
        lines = self._lines()
        if lines and not lines[-1].endswith((b"\n", b"\r")):
            return b"\n\n"
        for line in reversed(lines):
            if line.startswith(b"data"):
                return b"\n"
            if line.isspace():
                return b""
        return b"\n" if len(self._kept) == _KEPT else b""


def _last_event(lines: list[bytes]) -> dict[str, Any]:
    """Return the data of the last event that has data, if it is an object. Removes the event's lines."""
    data: list[bytes] = []
    while lines:
        line = lines.pop()
        if line.startswith(b"data:"):
            data.append(line[5:])
        elif data and line.isspace():
            break
    try:
        found = msgspec.json.decode(b"".join(reversed(data)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _has_finished(lines: list[bytes]) -> bool:
    """The last chunk with a choice says why it ended. A chunk with the usage alone can follow."""
    if not lines or not lines[-1].isspace():  # in the middle of an event
        return False
    last = _last_event(lines)
    choices = last.get("choices") or (_last_event(lines).get("choices") if last.get("usage") else None)
    try:
        return all(choice["finish_reason"] for choice in choices) if choices else False
    except (LookupError, TypeError):
        return False


class _Choices(msgspec.Struct):
    """What a request says of the number of its choices."""

    n: int | None = None
    prompt: msgspec.Raw = msgspec.Raw(b"")


def _has_one_choice(request: bytes) -> bool:
    """Of several choices, one that finished says nothing about the others."""
    try:
        found = msgspec.json.decode(request, type=_Choices)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return found.n in (None, 1) and not bytes(found.prompt).startswith(b"[")
