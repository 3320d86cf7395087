"""Passing a request on to a run's own service as it is, and its response back, both streamed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from multidict import CIMultiDict
from yarl import URL

from gateway_lambda.errors import Header
from gateway_lambda.exchange import ClientLeft, Exchange
from gateway_lambda.runs import Run
from gateway_lambda.upstream import Replica, Reply, Upstream

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

_OWN = HOP_BY_HOP | {b"host", b"expect"}
_BODYLESS = (204, 304)


async def pass_on(exchange: Exchange, run: Run, path: bytes, prefix: bytes, upstream: Upstream) -> None:
    """Serve a request by the run's own service.

    `path` is raw and untouched, as is the query; `prefix` is what stood before it. The gateway's key, which a run with
    `auth` asks for, ends here; the Authorization header of an open run is its service's own affair and goes on.
    Raises `GatewayError` as long as nothing was sent.
    """
    replica = upstream.choose(run.replicas)
    headers = _request_headers(exchange, run, prefix)
    body = await _request_body(exchange)
    url = _url(replica, path, exchange.scope["query_string"])
    reply = await upstream.send(replica, exchange.method, url, headers, body, upstream.streamed)
    try:
        await _pass_back(exchange, reply)
    finally:
        reply.close()


def _url(replica: Replica, path: bytes, query: bytes) -> URL:
    target = path + b"?" + query if query else path
    return URL(replica.base + target.decode("latin-1"), encoded=True)


def _request_headers(exchange: Exchange, run: Run, prefix: bytes) -> CIMultiDict[str]:
    headers: CIMultiDict[str] = CIMultiDict()
    skipped = _OWN | _named_in_connection(exchange.scope["headers"])
    if run.service.auth:
        skipped = skipped | {b"authorization"}
    for name, value in exchange.scope["headers"]:
        if name not in skipped:
            headers.add(name.decode("latin-1"), value.decode("utf-8", "surrogateescape"))
    if run.service.host is not None:
        headers["Host"] = run.service.host
    if run.service.auth and run.service.model and run.service.model.upstream_api_key is not None:
        headers["Authorization"] = f"Bearer {run.service.model.upstream_api_key}"
    _add_forwarded(headers, exchange, prefix)
    return headers


def _add_forwarded(headers: CIMultiDict[str], exchange: Exchange, prefix: bytes) -> None:
    """Who asked, and how: what a proxy before this one said stays, this one adds its part."""
    client = exchange.scope.get("client")
    if client:
        before = headers.popall("X-Forwarded-For", [])
        headers["X-Forwarded-For"] = ", ".join([*before, client[0]])
    if exchange.hosts:
        headers.setdefault("X-Forwarded-Host", exchange.hosts[0].decode("latin-1"))
    headers.setdefault("X-Forwarded-Proto", exchange.scope.get("scheme", "http"))
    if prefix:
        headers["X-Forwarded-Prefix"] = prefix.decode("latin-1")


async def _request_body(exchange: Exchange) -> bytes | AsyncIterator[bytes] | None:
    """The body as one piece where it came as one; else as it comes."""
    message = await exchange.receive()
    if message["type"] != "http.request":
        raise ClientLeft
    first: bytes = message.get("body", b"")
    if message.get("more_body"):
        return _pieces(exchange, first)
    exchange.watch()
    return first or None


async def _pieces(exchange: Exchange, first: bytes) -> AsyncIterator[bytes]:
    yield first
    while True:
        message = await exchange.receive()
        if message["type"] != "http.request":
            raise ClientLeft
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body"):
            return


async def _pass_back(exchange: Exchange, reply: Reply) -> None:
    """The response as it comes. One that breaks off ends the client's connection, so that it is not taken for whole."""
    await exchange.start(reply.status, _response_headers(reply, exchange))
    while piece := await reply.piece():
        await exchange.write(piece)
    await exchange.finish()


def _response_headers(reply: Reply, exchange: Exchange) -> list[Header]:
    found = list(reply.raw_headers)
    skipped = HOP_BY_HOP | _named_in_connection(found)
    if reply.status in _BODYLESS:
        skipped = skipped | {b"content-length"}
    return [(name, value) for name, value in ((n.lower(), v) for n, v in found) if name not in skipped]


def _named_in_connection(headers: Iterable[Header]) -> frozenset[bytes]:
    named = [
        token.strip().lower() for name, value in headers if name.lower() == b"connection" for token in value.split(b",")
    ]
    return frozenset(named)
