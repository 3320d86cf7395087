"""Passing a request on to a run's own service unchanged, and its response back, both streamed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping, Sequence

from gateway_lambda.errors import GatewayError, Header, timed_out
from gateway_lambda.routing.change import Change
from gateway_lambda.routing.passed_usage import usage_at_end, usage_at_start
from gateway_lambda.routing.runs import Run
from gateway_lambda.server.exchange import KEY_HEADERS, Exchange
from gateway_lambda.server.request_body import ClientLeft
from gateway_lambda.upstream.client import Upstream
from gateway_lambda.upstream.replica import Replica
from gateway_lambda.upstream.reply import Reply

HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
"""Headers that hold for one connection alone (RFC 9110 §7.6.1), beside those that Connection names."""

_NOT_PASSED_ON = HOP_BY_HOP | {b"host", b"expect", b"content-length", b"x-forwarded-for"}
_OF_CODINGS = (b"accept-encoding", b"content-encoding")
_LEFT_OUT = {
    (own, readable): _NOT_PASSED_ON.union(() if own else (b"authorization",), _OF_CODINGS if readable else ())
    for own in (False, True)
    for readable in (False, True)
}
"""Headers that are not passed on, by the arguments of `request_headers`."""
EVENTS, JSON = b"text/event-stream", b"application/json"
_REPEATABLE = ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE")
"""Methods of which one request more changes nothing (RFC 9110 §9.2.2)."""


async def pass_on(
    exchange: Exchange,
    run: Run,
    path: bytes,
    prefix: bytes,
    upstream: Upstream,
    patience: float,
    change: Change | None = None,
) -> None:
    """Send a request to the run's own service.

    `path` and query are raw and unchanged; `prefix` is the part before `path`, which goes too if the run wants it. The
    key of a run with `auth` is not passed on; the Authorization header of an open run is. `patience`: how many seconds
    the service may be silent before and within its response, while no more of the request comes. `change` changes the
    body and the answer. Raises `GatewayError` before anything is sent.
    """
    if run.rates is not None:
        await run.rates.check(exchange, path)
    if not run.service.strip_prefix:
        path, prefix = prefix + path, b""
    limit = asyncio.timeout(patience)
    if change is None:
        body, length = await _request_body(exchange, limit, patience), exchange.content_length
    else:
        body, length = await change.body(exchange), None
        exchange.watch()
    query: bytes = exchange.scope["query_string"]
    target = path + b"?" + query if query else path
    headers = request_headers(exchange, prefix, own=not run.service.auth, readable=change is not None)
    if run.service.auth:
        headers += run.upstream_key

    def ask(replica: Replica) -> Awaitable[Reply]:
        return upstream.send(
            replica,
            exchange.method.encode(),
            target,
            headers,
            body,
            length=length,
            repeatable=exchange.method in _REPEATABLE,
        )

    try:
        async with limit:
            reply = await upstream.on_a_replica(run.replicas, ask)
    except TimeoutError:
        raise timed_out("the run's service did not begin its response in time") from None
    try:
        reply.limit_silence(patience)
        await (pass_back(exchange, reply) if change is None else change.pass_back(exchange, reply))
    finally:
        reply.close()


def request_headers(exchange: Exchange, prefix: bytes, *, own: bool, readable: bool = False) -> list[Header]:
    """Return the headers of a request that is passed on.

    `own`: with the caller's key. `readable`: the request was decoded, and the answer must come without a content
    encoding.
    """
    given: list[Header] = exchange.scope["headers"]
    last = dict(given)
    skipped = _LEFT_OUT[own, readable]
    if b"connection" in last:
        skipped |= _named_in_connection(given)
    added = _forwarded(exchange, last, prefix)
    if readable:
        added.append((b"accept-encoding", b"identity"))
    if not own and not last.keys().isdisjoint(KEY_HEADERS):
        key = (exchange.authorization or b"").partition(b" ")[2].strip()
        given = [header for header in given if header[0] not in KEY_HEADERS or header[1].strip() != key]
    return [header for header in given if header[0] not in skipped] + added


def _forwarded(exchange: Exchange, last: Mapping[bytes, bytes], prefix: bytes) -> list[Header]:
    """Return the headers that say who asked, and how. What an earlier proxy said stays, and the gateway adds its part.

    `last`: the last header of each name.
    """
    scope = exchange.scope
    asked_by: list[bytes] = []
    if b"x-forwarded-for" in last:
        asked_by = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    client = scope.get("client")
    if client:
        asked_by.append(client[0].encode())
    added = [(b"x-forwarded-for", b", ".join(asked_by))] if asked_by else []
    if exchange.hosts and b"x-forwarded-host" not in last:
        added.append((b"x-forwarded-host", exchange.hosts[0]))
    if b"x-forwarded-proto" not in last:
        added.append((b"x-forwarded-proto", scope["scheme"].encode()))
    if prefix and b"x-forwarded-prefix" not in last:
        added.append((b"x-forwarded-prefix", scope["root_path"].encode() + prefix))
    return added


async def _request_body(exchange: Exchange, limit: asyncio.Timeout, patience: float) -> bytes | AsyncIterator[bytes]:
    """Return the body as one piece, if it arrived so. Otherwise yield its pieces; each gives `limit` more time."""
    message = await exchange.receive()
    if message["type"] != "http.request":
        raise ClientLeft
    first: bytes = message.get("body", b"")
    if message.get("more_body"):
        return _pieces(exchange, first, limit, patience)
    exchange.watch()
    return first


async def _pieces(exchange: Exchange, first: bytes, limit: asyncio.Timeout, patience: float) -> AsyncIterator[bytes]:
    yield first
    loop = asyncio.get_running_loop()
    while True:
        message = await exchange.receive()
        with contextlib.suppress(RuntimeError):
            # Raised when the response has begun: what limits that is its own silence.
            limit.reschedule(loop.time() + patience)
        if message["type"] != "http.request":
            exchange.leave()
            raise ClientLeft
        yield message.get("body", b"")
        if not message.get("more_body"):
            exchange.watch()
            return


async def pass_back(exchange: Exchange, reply: Reply, held: Sequence[bytes] = ()) -> None:
    """Pass a response back as it comes. `held` has the pieces that were read of it before.

    A response that breaks off, falls silent or has to end closes the client's connection, so that it does not look
    complete. A stream of events says why before that, because a connection behind an adapter cannot be closed. Raises
    `GatewayError`.
    """
    last = dict(reply.headers)
    await exchange.start_as(reply.status, response_headers(exchange, reply, last))
    kind = readable_kind(last)
    older = before = b""  # the usage, the end of the events and the end of the body can be pieces of their own
    try:
        *earlier, piece = held or (await reply.piece(),)
        exchange.stream = kind == EVENTS
        if exchange.stream:
            exchange.first_token = time.monotonic()
        first = earlier[0] if earlier else piece
        for each in earlier:
            await exchange.write(each)
            older, before = before, each
        while piece and not reply.ended:
            await exchange.write(piece)
            older, before = before, piece
            piece = await reply.piece()
        if kind in (EVENTS, JSON):
            exchange.usage = usage_at_end(last, older, before, piece)
            if before and exchange.usage is None and kind == JSON:
                exchange.usage = usage_at_start(first)
        await exchange.finish(piece)
    except GatewayError as error:
        await _say_why(exchange, last, error)
        raise
    except asyncio.CancelledError:
        if not exchange.client_left and not exchange.done:
            await _say_why(exchange, last, exchange.last_words)
        raise


async def _say_why(exchange: Exchange, last: Mapping[bytes, bytes], error: GatewayError) -> None:
    if readable_kind(last) == EVENTS and b"content-length" not in last:
        await exchange.write(b"\n\n" + error.event(named=True))


def readable_kind(last: Mapping[bytes, bytes]) -> bytes:
    """Return the content type of a response, without parameters; empty with a content encoding.

    `last`: the last header of each name.
    """
    coding = last.get(b"content-encoding", b"identity").strip().lower()
    return last.get(b"content-type", b"").partition(b";")[0].strip().lower() if coding == b"identity" else b""


def response_headers(exchange: Exchange, reply: Reply, last: Mapping[bytes, bytes]) -> list[Header]:
    """Return the headers of a response that is passed back. An `x-request-id` of the upstream stays. What it
    says of its own limits does not, if the caller's key has limits. `last`: the last header of each name.
    """
    found = reply.headers
    skipped = HOP_BY_HOP
    if b"connection" in last:
        skipped |= _named_in_connection(found)
    if reply.status in (204, 304):
        skipped |= {b"content-length"}
    kept = [header for header in found if header[0] not in skipped]
    if exchange.limits:
        kept = [header for header in kept if not header[0].startswith(b"x-ratelimit-")]
    if b"x-request-id" not in last or b"x-request-id" in skipped:
        kept.append((b"x-request-id", exchange.request_id))
    return kept


def _named_in_connection(headers: Iterable[Header]) -> set[bytes]:
    values = [value for name, value in headers if name == b"connection"]
    return {token.strip().lower() for value in values for token in value.split(b",")}
