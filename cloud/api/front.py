"""The API: from an HTTPS request to the event for a function, and from the function's answer to the response."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from cloud.api.accounts import Accounts, Sent
from cloud.api.answer import Head, Metadata, Unreadable, whole_answer
from cloud.api.deployed import NOTHING, Names, Route, Stage, route_of
from cloud.api.event import forwarded, proxy_event, queried
from cloud.api.functions import Functions
from cloud.api.instance import FunctionFailed
from cloud.api.log_lines import LogLines
from cloud.api.metrics import Metrics
from cloud.api.own_responses import own_response
from cloud.api.request import Request, flat
from cloud.api.runtime_api import EventTooLarge, Invocation
from cloud.api.serving import Receive, Send
from cloud.api.throttle import Bucket
from cloud.api.version import Throttled

LARGEST_BODY = 10 * 1024 * 1024
"""Bytes of a request (quotas of REST APIs)."""
IDLE = 300.0
"""Seconds that an answer may be silent, before its first byte too (response-transfer-mode.html, regional APIs)."""
_LOG = logging.getLogger(__name__)


class Refused(Exception):
    """The API answers by itself, with the type that the message names (`own_responses.csv`)."""


class Front:
    """An ASGI application."""

    def __init__(
        self, functions: Functions, lines: LogLines, metrics: Metrics, *, port: int = 443, idle: float = IDLE
    ) -> None:
        self.names: Names = NOTHING
        """What is deployed. The part that reads the control plane sets it."""
        self._functions = functions
        self._accounts = Accounts(lines, metrics)
        self._port = port
        self._idle = idle
        self._buckets: dict[tuple[str, str, float, float], Bucket] = {}

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        host = next((value for name, value in headers if name == "host"), "")
        request = Request(
            method=scope["method"],
            host=_bare(host),
            path=scope["raw_path"].decode("latin-1") or "/",
            headers=headers,
            client=scope["client"][0] if scope["client"] else "127.0.0.1",
            protocol=f"HTTP/{scope['http_version']}",
        )
        sent = Sent()
        found = self.names.find(request.host, request.path)
        stage = None if found is None else found.stage
        try:
            if found is None or stage is None:
                raise Refused("FORBIDDEN")
            matched = route_of(stage.deployment, found.inner, request.method)
            if matched is None:
                raise Refused("MISSING_AUTHENTICATION_TOKEN")
            if not self._bucket(stage).takes():
                raise Refused("THROTTLED")
            body = await _body(receive, headers)
            if body is None:
                return
            event = self._event(request, stage, matched, found.path, scope["query_string"].decode("latin-1"), body)
            await self._answer(request, stage, matched[0], event, send, sent)
        except Refused as refused:
            await self._refuse(str(refused), request, stage, send, sent)
        if stage is not None:
            self._accounts.write(request, stage, sent)

    def _event(
        self,
        request: Request,
        stage: Stage,
        matched: tuple[Route, Mapping[str, str]],
        path: str,
        query: str,
        body: bytes,
    ) -> bytes:
        route, parameters = matched
        where = {"api": stage.api, "stage": stage.name, "resource": route.resource, "path": route.path}
        context = request.event_context(where)
        request.context |= flat(context)
        event = proxy_event(
            method=request.method,
            path=path,
            headers=forwarded(request.headers, client=request.client, port=self._port),
            query=queried(query),
            body=body,
            binary_types=stage.deployment.binary_types,
            resource=route.path,
            parameters=parameters,
            variables=stage.variables,
            context=context,
        )
        return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")

    async def _answer(self, request: Request, stage: Stage, route: Route, event: bytes, send: Send, sent: Sent) -> None:
        """Raises `Refused` if nothing was sent yet."""
        integration = route.integration
        began = time.monotonic()
        request.context["integration.responseTransferMode"] = "STREAMED" if integration.streamed else "BUFFERED"
        invocation: Invocation | None = None
        try:
            async with asyncio.timeout(integration.seconds):
                invocation = await self._functions.invoke(integration.function, event)
                async with aclosing(_parts(invocation, integration.streamed, self._idle)) as parts:
                    async for part in parts:
                        if isinstance(part, Head):
                            sent.integration = time.monotonic() - began
                            sent.status = part.status
                            await _start(send, part.status, [*request.response_headers(), *part.headers])
                        else:
                            sent.first_byte = sent.first_byte or time.monotonic() - began
                            sent.bytes += len(part)
                            await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        except (TimeoutError, Unreadable, FunctionFailed, Throttled, EventTooLarge) as problem:
            if invocation is not None:
                invocation.leave()
            _LOG.info("%s %s%s: %r", request.method, request.host, request.path, problem)
            if not sent.status:
                raise Refused(_KINDS[type(problem)]) from None
            # The client has the status already, so the connection ends in the middle of the response.

    async def _refuse(self, kind: str, request: Request, stage: Stage | None, send: Send, sent: Sent) -> None:
        context = {"requestId": request.id, "extendedRequestId": request.extended_id, **request.context}
        answer = own_response(kind, None if stage is None else stage.deployment, context)
        request.context |= answer.context
        sent.status, sent.bytes = answer.status, len(answer.body)
        length = ("content-length", str(len(answer.body)))
        await _start(send, answer.status, [*request.response_headers(), *answer.headers.items(), length])
        await send({"type": "http.response.body", "body": answer.body})

    def _bucket(self, stage: Stage) -> Bucket:
        key = stage.api, stage.name, stage.rate, stage.burst
        if key not in self._buckets:
            self._buckets[key] = Bucket(stage.rate, stage.burst, time.monotonic)
        return self._buckets[key]


_KINDS: Mapping[type[Exception], str] = {
    EventTooLarge: "REQUEST_TOO_LARGE",
    FunctionFailed: "FUNCTION_FAILED",
    Throttled: "INTEGRATION_FAILURE",
    TimeoutError: "INTEGRATION_TIMEOUT",
    Unreadable: "FUNCTION_FAILED",
}


async def _parts(invocation: Invocation, streamed: bool, idle: float) -> AsyncGenerator[Head | bytes]:
    """Yield the head of a function's answer, then its payload as it comes. Raises `Unreadable`, `FunctionFailed`, and
    `TimeoutError` after a silence."""
    metadata = Metadata() if streamed else None
    whole = b""
    async with aclosing(invocation.pieces(idle)) as pieces:
        async for piece in pieces:
            if not streamed:
                whole += piece
            elif metadata is None:
                yield piece
            elif (found := metadata.add(piece)) is not None:
                metadata = None
                yield found[0]
                if found[1]:
                    yield found[1]
    if invocation.kind != "response" or invocation.broken:
        raise FunctionFailed(invocation.kind)
    if not streamed:
        head, body = whole_answer(whole)
        yield head
        yield body
    elif metadata is not None:
        raise Unreadable("the answer ended within its metadata")


async def _body(receive: Receive, headers: list[tuple[str, str]]) -> bytes | None:
    """Return the body of a request; `None`: the client left. Raises `Refused`."""
    said = next((value for name, value in headers if name == "content-length"), "0")
    if said.isdigit() and int(said) > LARGEST_BODY:
        raise Refused("REQUEST_TOO_LARGE")
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message["body"]
        if len(body) > LARGEST_BODY:
            raise Refused("REQUEST_TOO_LARGE")
        if not message["more_body"]:
            return bytes(body)


async def _start(send: Send, status: int, headers: list[tuple[str, str]]) -> None:
    raw = [(name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": raw})


def _bare(host: str) -> str:
    """Return a host without its port."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower().rstrip(".")
