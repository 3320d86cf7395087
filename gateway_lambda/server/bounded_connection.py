"""The limits of what a client can send on its connection. uvicorn itself does not have such limits.

The parser, httptools, gets a head or a trailer in pieces and joins them, so that the cost grows with the square.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT

from gateway_lambda.allowed_origins import AllowedOrigins
from gateway_lambda.errors import GatewayError, RequestError
from gateway_lambda.server.exchange import ON_LEAVING
from gateway_lambda.server.old_http import answer_without_chunks
from gateway_lambda.server.request_head import (
    LONGEST_HEAD,
    MOST_LINES,
    check_chunks,
    check_size,
    check_version,
    head_too_large,
    length_in,
    malformed,
    without_offer,
)
from gateway_lambda.server.watched_connection import WatchedConnection

_MOST_QUEUED = 16
"""Requests that wait for the answer to the one before them on their connection."""
_SKIPPED_BODY = 65536
"""Bytes of a refused body that are read and dropped, so that the connection can be used again."""
_LINGER_BYTES = 8 * 1024 * 1024
"""Bytes that are dropped after a refusal: closing with bytes unread resets the connection, and loses the answer."""

BETWEEN, HEAD, BODY, DEAF, ENDING = range(5)
"""What is under way on a connection: nothing, a head, its body. From `DEAF` on, nothing that comes is looked at; with
`ENDING`, all was answered."""


class _Outlet:
    """What a response writes to. It closes as `BoundedConnection` wants it."""

    __slots__ = ("close", "is_closing", "write")

    def __init__(self, connection: BoundedConnection) -> None:
        self.write = connection.transport.write
        self.is_closing = connection.transport.is_closing
        self.close = connection.end


class BoundedConnection(WatchedConnection):
    """uvicorn's connection with limits."""

    origins: ClassVar[AllowedOrigins] = AllowedOrigins()
    """The origins whose pages can read what is refused here."""
    parser: Any
    scope: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._phase = BETWEEN
        self.since: float = self.loop.time()
        """When the phase began; in a body, when its last bytes came."""
        self._unparsed = 0
        """Bytes since the parser last came to the end of a head, of a message or of a piece of a body."""
        self._queued = 0
        """Bytes of the bodies of requests that wait for the answer to the one before them."""
        self._left = _LINGER_BYTES
        self._declined = b""
        """The head of a request that offers another protocol, without its offer."""
        self._judged = False
        self._in_chunks = False
        self._stays = False
        self._outlet: Any = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._outlet = _Outlet(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._outlet = None

    def data_received(self, data: bytes) -> None:
        """Take bytes of the connection, as they come."""
        if self._phase >= DEAF:
            self._drop(len(data))
            return
        if self._phase == BETWEEN:
            self._begin_head()
        elif self._phase == BODY:
            self.since = self.loop.time()
        self._unparsed += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            head, self._declined = self._declined, b""
            # The old parser may have noted that the connection ends with the request that it ended.
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            self.data_received(head + data[offer.args[0] :])
        except httptools.HttpParserError as problem:
            own = problem.__context__
            self._refuse(own if isinstance(own, GatewayError) else malformed(str(problem)))
        else:
            if self._unparsed > LONGEST_HEAD:
                self._refuse(head_too_large(self.url))
            elif self._phase == BODY and not self._judged:
                self._judge()
            elif self._phase == BETWEEN and self.scope is not None:
                self._begin_head()

    def _begin_head(self) -> None:
        self._phase = HEAD
        self.since = self.loop.time()

    def on_headers_complete(self) -> None:
        """Begin a request. Raises `GatewayError`, which ends the parsing."""
        headers = self.headers
        if len(headers) > MOST_LINES or self._unparsed > LONGEST_HEAD // 2:
            check_size(self.url, headers)
        self._unparsed = 0
        if self.parser.should_upgrade():
            version = self.parser.get_http_version()
            self._declined = without_offer(self.parser.get_method(), self.url, version, headers)
            return
        if not self.pipeline:
            self._queued = 0
        elif len(self.pipeline) >= _MOST_QUEUED or self._queued > _SKIPPED_BODY:
            raise RequestError(
                "too many requests wait on this connection; wait for answers before you send more", "invalid_http"
            )
        super().on_headers_complete()
        self.scope[ON_LEAVING] = self.on_leaving
        self._phase = BODY
        self._judged = self._in_chunks = False
        self.cycle.transport = self._outlet
        if not self.pipeline:
            self._answered = self.cycle
        # The request keeps its list. The parser gives trailers as headers, and they go into a list that nobody reads.
        self.headers = []
        if self.scope["http_version"] != "1.1":
            check_version(self.scope["http_version"])
            answer_without_chunks(self.cycle)

    def on_chunk_header(self) -> None:
        """Check a body in chunks. Raises `GatewayError`."""
        if not self._in_chunks:
            self._in_chunks = True
            check_chunks(self.scope["http_version"], self.scope["headers"])

    def on_body(self, body: bytes) -> None:
        self._unparsed = 0
        cycle = self.cycle
        if cycle.response_complete:
            return
        cycle.body += body
        if cycle is not self._answered:
            self._queued += len(body)
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        self._unparsed = 0
        if self._declined:
            return
        self._phase = BETWEEN
        self.scope = None  # the next one that begins has its own
        cycle = self.cycle
        if cycle.response_complete:
            return
        if self._judged and not cycle.response_started:
            cycle.keep_alive = self._stays
        cycle.more_body = False
        cycle.message_event.set()

    def on_response_complete(self) -> None:
        """Go on with the next request. uvicorn would start a timer here. While requests wait, nothing more is read."""
        self.server_state.total_requests += 1
        self._leaving = None
        if self.transport.is_closing() or self._phase == ENDING:
            return
        if self.pipeline:
            self._answered, app = self.pipeline.pop()
            self._start_asgi_task(self._answered, app)
        else:
            self.flow.resume_reading()
            if self._phase == BETWEEN:
                self.since = self.loop.time()

    def shutdown(self) -> None:
        self._stays = False
        if self._phase == ENDING:
            self.transport.close()
        else:
            super().shutdown()

    def end(self) -> None:
        """Close after the last bytes have gone out. The client can read them even while it still sends."""
        if self.transport.is_closing():
            return
        if self._phase not in (BODY, DEAF):
            self.transport.close()
            return
        self._phase = ENDING
        self.since = self.loop.time()
        self.flow.resume_reading()
        self.transport.write_eof()

    def _is_answering(self) -> bool:
        return self._answered is not None and not self.cycle.response_complete

    def _judge(self) -> None:
        """Decide what happens to a body that has not arrived. Unless it is short, an answer before it ends the
        connection."""
        self._judged = True
        self._stays = self.cycle.keep_alive
        length = length_in(dict(self.scope["headers"]).get(b"content-length"))
        if length is None or length > _SKIPPED_BODY:
            self.cycle.keep_alive = False

    def _refuse(self, error: GatewayError) -> None:
        """Answer with `error` if no other answer is under way, and close."""
        owes, answering = self._phase == BODY, self._is_answering()
        self._phase = DEAF
        if answering and not owes:
            self.cycle.keep_alive = False
            return
        if self.pipeline or owes != answering or (answering and self.cycle.response_started):
            self.transport.close()
            return
        if answering:
            self.cycle.disconnected = True
            self.cycle.waiting_for_100_continue = False
            self.cycle.message_event.set()
        headers = (self.headers if self.scope is None else self.scope["headers"]) or ()
        origin = next((value for name, value in headers if name == b"origin"), None)
        self.transport.write(error.last_response(self.origins.headers(origin) if origin is not None else ()))
        self.end()

    def _drop(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            self.transport.abort()
