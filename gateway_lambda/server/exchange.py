"""One request and its response, over ASGI."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, cast

from gateway_lambda.content_coding import check_coding, decoded_request
from gateway_lambda.errors import JSON_TYPE, GatewayError, Header, RequestError, out_of_time, stopping, too_large
from gateway_lambda.server.answer_form import AnswerForm
from gateway_lambda.server.open_bodies import OpenBodies
from gateway_lambda.server.recorded import OTHER, Recorded
from gateway_lambda.server.request_body import Message, Receive, rest_of_body
from gateway_lambda.server.request_head import caller_of, length_in

_LOG = logging.getLogger(__name__)

KEY_HEADERS = (b"x-api-key", b"api-key")
"""Headers that carry the key of a caller without `Authorization`: Anthropic's and Azure's clients send them."""

ON_LEAVING = "servestack.on_leaving"
"""The ASGI scope's key for a function of our server, which calls its argument when the client leaves. Another server
does not have it, and a request there does not end early."""

Send = Callable[[Message], Awaitable[None]]
Listener = Callable[["Exchange"], Awaitable[None] | None]
"""Is told of each request that ends, and may take time for it. What it raises is logged, and changes no answer."""


class Exchange(Recorded):
    """A request, and the ways to answer it.

    Every response has an `x-request-id`. `hosts` are all Host headers. `authorization` is the last such header; without
    one, it is made from the header in which Anthropic's or Azure's clients send the key.
    """

    __slots__ = (
        "_held",
        "_open_bodies",
        "_out_of_time",
        "_send",
        "_task",
        "_timer",
        "authorization",
        "coding",
        "content_length",
        "counts_tokens",
        "cross_origin",
        "done",
        "form",
        "hosts",
        "limits",
        "listeners",
        "origin",
        "preflight",
        "receive",
        "scope",
        "started",
    )

    def __init__(self, scope: Message, receive: Receive, send: Send, listeners: Sequence[Listener] = ()) -> None:
        self.begun = time.monotonic()
        self.first_byte = self.first_token = self.ended = self.held = 0.0
        self.error = self.key = self.run = self.model = self.usage = None
        self.stream = self.others = self.client_left = self.failed = False
        self.route = OTHER
        self.status = self._held = 0
        self.scope = scope
        self.receive = receive
        self._send = send
        self.method = scope["method"]
        self.path = scope.get("raw_path") or scope["path"].encode()
        self.request_id = b"req_" + os.urandom(12).hex().encode()
        headers: list[Header] = scope["headers"]
        last = dict(headers)
        host = last.get(b"host")
        if len(last) < len(headers):
            self.hosts = [value for name, value in headers if name == b"host"]
        else:
            self.hosts = [] if host is None else [host]
        self.authorization = last.get(b"authorization")
        if not self.authorization:
            key = last.get(KEY_HEADERS[0]) or last.get(KEY_HEADERS[1])
            self.authorization = b"Bearer " + key if key else None
        self.content_length = last.get(b"content-length")
        self.coding = last.get(b"content-encoding")
        self.origin = last.get(b"origin")
        self.cross_origin: tuple[Header, ...] = ()
        """Headers that let the page that sends the request read the answer."""
        self.preflight = False  # a browser asks whether the page can send its request, and the gateway allows it
        self.form: AnswerForm | None = None  # None: OpenAI's
        self.limits: tuple[Header, ...] = ()
        """Headers with the rest of the limit of the caller's key."""
        self.counts_tokens = False  # the answer's tokens count for a limit of the caller's key
        self.started = False
        """The status has been sent."""
        self.listeners = listeners
        """They are told of the end of this request, in this order."""
        self.done = self._out_of_time = False
        self._open_bodies: OpenBodies | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task = cast("asyncio.Task[Any]", asyncio.current_task())

    def header(self, name: bytes) -> bytes | None:
        """Return the first header with that lower-case name."""
        for key, value in self.scope["headers"]:
            if key == name:
                return value
        return None

    def caller(self) -> bytes:
        """Return the address of the caller."""
        return caller_of(self.scope.get("client"), self.scope["headers"])

    async def body(self, limit: int, open_bodies: OpenBodies | None = None) -> bytes:
        """Return the whole request body, decoded. `open_bodies`: the caller has no key, and the body counts there.

        Raises `RequestError` above `limit` bytes and for an unknown coding, `ServiceError` if `open_bodies` has no room
        for it, and `ClientLeft` if it does not come.
        """
        size = length_in(self.content_length)
        if size is not None and size > limit:
            raise too_large(limit)
        if self.coding is not None:
            check_coding(self.coding)
            size = None
        if open_bodies is not None:
            self._hold(open_bodies, limit if size is None else size)
        message = await self.receive()
        found: bytes = message.get("body", b"")
        if message.get("more_body") or message["type"] != "http.request" or len(found) > limit:
            try:
                async with asyncio.timeout(open_bodies.within if open_bodies else None):
                    found = await rest_of_body(self.receive, message, limit)
            except TimeoutError:
                raise RequestError("the request's body did not come in time", "request_timeout", status=408) from None
        if self.coding is not None:
            found = decoded_request(found, self.coding, limit)
        if open_bodies is not None:
            open_bodies.give_back(self._held - len(found))
            self._held = len(found)
        return found

    def _hold(self, open_bodies: OpenBodies, size: int) -> None:
        open_bodies.take(size)
        self._open_bodies = open_bodies
        self._held = size

    def watch(self) -> None:
        """From now on, cancel the task of this exchange if the client leaves. The body must have been read."""
        on_leaving = self.scope.get(ON_LEAVING)
        if on_leaving is not None:
            on_leaving(self.leave)

    @property
    def last_words(self) -> GatewayError:
        """Return the error for a client that is still connected when the task of this exchange is cancelled."""
        return out_of_time() if self._out_of_time else stopping()

    def end_within(self, seconds: float) -> None:
        """Cancel the task of this exchange after `seconds`, so that its answer ends in time."""
        self._timer = asyncio.get_running_loop().call_later(seconds, self._end)

    def stay(self) -> None:
        """Say that the cancellation, by `leave` or by the server, has been handled."""
        self._task.uncancel()

    def close(self) -> None:
        """Do not watch any longer, and release the body."""
        self.done = True
        if self._timer is not None:
            self._timer.cancel()
        if self._open_bodies is not None:
            self._open_bodies.give_back(self._held)
            self._held = 0

    async def respond(self, status: int, headers: Iterable[Header], body: bytes) -> None:
        """Send a whole response."""
        await self.start(status, [*headers, (b"content-length", b"%d" % len(body))])
        await self.finish(body)

    async def respond_json(self, body: bytes, headers: Iterable[Header] = ()) -> None:
        """Send a whole response with status 200."""
        await self.respond(200, (JSON_TYPE, *headers), body)

    async def respond_error(self, error: GatewayError) -> None:
        """Send an error. This is the only place where an error becomes HTTP."""
        self.error = error.code
        body = error.body() if self.form is None else self.form.error(error, self.request_id)
        await self.respond(error.status, (JSON_TYPE, *error.headers), body)

    async def start(self, status: int, headers: list[Header]) -> None:
        """Send the status and headers of a response. `write` and `finish` send its body."""
        headers.append((b"x-request-id", self.request_id))
        if self.form is not None:
            headers.append((self.form.id_header, self.request_id))
        await self.start_as(status, headers)

    async def start_as(self, status: int, headers: list[Header]) -> None:
        """Start without an `x-request-id`. Unless these headers let pages read the answer, and so decide preflights
        too, the gateway's do, and every preflight succeeds: the page then reads the error of its request."""
        self.started = True
        if self.limits:
            headers = [*headers, *self.limits]
        if self.cross_origin and all(name.lower() != b"access-control-allow-origin" for name, _ in headers):
            headers = [*headers, *self.cross_origin]
            if self.preflight:
                status = 200
        self.status = status
        self.first_byte = time.monotonic()
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, data: bytes) -> None:
        """Send a piece of the body. Waits while the client does not read."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self, data: bytes = b"") -> None:
        """Send the last piece of the body, after the listeners: a function can be frozen as soon as it has gone out."""
        self.done = True
        if self.listeners:
            await self.end()
        await self._send({"type": "http.response.body", "body": data, "more_body": False})

    async def end(self) -> None:
        """Tell the listeners, once, that the request has ended."""
        listeners, self.listeners = self.listeners, ()
        self.ended = time.monotonic()
        self.failed = self.status >= 500 or (self.error is not None and self.status < 400)
        for listener in listeners:
            try:
                waiting = listener(self)
                if waiting is not None:
                    await waiting
            except Exception:
                _LOG.exception("request %s: what follows its end failed", self.request_id.decode())

    def leave(self) -> None:
        """Note that the client has left: cancel the task that serves it, unless it is done."""
        if not self.done:
            self.client_left = True
            self._task.cancel()

    def _end(self) -> None:
        if not self.done:
            self._out_of_time = True
            self._task.cancel()
