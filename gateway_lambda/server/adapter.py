"""Serving behind a web adapter, which turns every response into metadata and a payload.

The adapter cannot pass on a header that occurs twice or is not ASCII. A reader of an empty payload can wait forever for
its first byte (aws-lambda-web-adapter issue 499), so an empty body becomes a line feed, unless HTTP allows no body
(204, 304, HEAD).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import unquote

import msgspec

from gateway_lambda.errors import Header, RequestError
from gateway_lambda.server.climbing import REFUSED, refuse_climbing
from gateway_lambda.server.deadline import SECONDS, seconds_to_answer
from gateway_lambda.server.exchange import Send
from gateway_lambda.server.request_body import Message, Receive

_CONTEXT = b"x-amzn-request-context"
_ITS_OWN = frozenset((_CONTEXT, b"x-amzn-lambda-context", b"x-amz-tenant-id"))
"""Request headers that the adapter adds, about the account and the function. A run's own service does not get them."""
_APART = b"set-cookie"
"""The one header whose values cannot share a line (RFC 9110 §5.3); adapters pass cookies on as a list."""
_NOT_PLAIN = re.compile(rb"[^\t -~]")
"""The adapter writes such a header as an empty list, which the API does not accept as a response."""
_STAGE = re.compile("[A-Za-z0-9_-]+")
"""What the name of a stage may be."""

Application = Callable[[Message, Receive, Send], Awaitable[None]]


def behind_adapter(application: Application) -> Application:
    """Return an ASGI application for use behind the adapter: each header once, and a payload of at least one byte."""

    async def serve(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        headers: Iterable[Header] = scope["headers"]
        kept = [header for header in headers if header[0] not in _ITS_OWN]
        response = _Response(scope["method"] == "HEAD", send)
        context = _context(headers)
        # The adapter is on this machine. X-Forwarded-For has the caller's address already.
        inner = {**scope, "headers": kept, "client": None, "root_path": _before(scope["raw_path"], context)}
        try:
            # The adapter has resolved the path that it passes on.
            refuse_climbing(context.path.encode())
        except RequestError as error:
            inner[REFUSED] = error
        seconds = seconds_to_answer(headers)
        if seconds is not None:
            inner[SECONDS] = seconds
        await application(inner, receive, response.send)

    return serve


class _Said(msgspec.Struct, frozen=True):
    """What the API says about a request."""

    path: str = ""
    """All of it, as the client sent it."""
    stage: str = ""


_NOTHING = _Said()


def _context(headers: Iterable[Header]) -> _Said:
    said = next((value for name, value in headers if name == _CONTEXT), b"")
    try:
        return msgspec.json.decode(said, type=_Said)
    except (msgspec.MsgspecError, UnicodeDecodeError):  # no request to the API: somebody invoked the function
        return _NOTHING


def _before(path: bytes, said: _Said) -> str:
    """Return what the caller's path has before the path that the API passes on: the stage, or nothing at a domain."""
    if _STAGE.fullmatch(said.stage) is None:
        return ""
    # Both are decoded before they are compared, because the adapter encodes what the API does not. The decoded text is
    # not used for anything else.
    stands_there = unquote(said.path) == f"/{said.stage}{unquote(path)}"
    return f"/{said.stage}" if stands_there else ""


class _Response:
    """One response on its way to the adapter."""

    __slots__ = ("_head", "_owes", "_send")

    def __init__(self, head: bool, send: Send) -> None:
        self._head = head
        self._send = send
        self._owes = False
        """The payload is empty so far, and must not stay empty."""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._start(message)
            return
        if message.get("body"):
            self._owes = False
        elif self._owes and not message.get("more_body"):
            message = {**message, "body": b"\n"}
        await self._send(message)

    async def _start(self, message: Message) -> None:
        headers = _once(message["headers"])
        lengths = [value for name, value in headers if name == b"content-length"]
        bodyless = self._head or message["status"] in (204, 304)
        encoded = any(name == b"content-encoding" for name, _ in headers)
        if not bodyless and lengths == [b"0"]:
            self._owes = True
            headers = [header for header in headers if header[0] not in (b"content-length", b"content-encoding")]
            headers.append((b"content-length", b"1"))
        elif not bodyless and not lengths and not encoded:
            self._owes = True
        await self._send({**message, "headers": headers})


def _once(headers: Iterable[Header]) -> list[Header]:
    """Return headers with one line for each name, which has all its values. Cookies come last, each in its own line.
    Bytes that are not ASCII are percent-encoded, as in URLs."""
    found: dict[bytes, bytes] = {}
    cookies: list[Header] = []
    for name, given in headers:
        value = _NOT_PLAIN.sub(lambda match: b"%%%02X" % ord(match[0]), given)
        if name == _APART:
            cookies.append((name, value))
        else:
            found[name] = b"%s, %s" % (found[name], value) if name in found else value
    return [*found.items(), *cookies]
