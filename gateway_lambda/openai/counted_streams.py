"""Streams at a run's own address whose tokens count for a limit of the caller's key.

The address passes every request on unchanged, but for these: otherwise the limit would not hold there. The gateway asks
for the usage, as it does where a request names a model, and the caller does not get the chunk that is the answer to it.
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from gateway_lambda.openai.asked_usage import asking_for_usage
from gateway_lambda.openai.passthrough_events import END_WITH_DONE, pass_events
from gateway_lambda.routing.proxy import EVENTS, pass_back, readable_kind
from gateway_lambda.routing.runs import Run
from gateway_lambda.server.exchange import Exchange
from gateway_lambda.upstream.reply import Reply


class CountedStream:
    """A request for chats or completions by a key whose tokens have a limit, and its answer."""

    def __init__(self, route: bytes, most: int) -> None:
        self._route = route
        self._most = most
        self._request = b""
        self._asked = False
        """The gateway asked for the usage, and not the caller."""

    async def body(self, exchange: Exchange) -> bytes:
        """Return the body, made to ask for the usage if it asks for a stream. Raises `RequestError`."""
        self._request = await exchange.body(self._most)
        asking = asking_for_usage(self._request)
        self._asked = asking is not None
        return asking or self._request

    async def pass_back(self, exchange: Exchange, reply: Reply) -> None:
        """Pass the answer back. A stream has an error event where it was cut."""
        if self._asked and readable_kind(dict(reply.headers)) == EVENTS:
            await pass_events(exchange, reply, self._route, self._request, with_usage=False)
        else:
            await pass_back(exchange, reply)


def counted_stream(exchange: Exchange, run: Run, path: bytes, most: int) -> CountedStream | None:
    """Return what asks for the usage of a request to a run's own `path`; `None`: nothing has to.

    `most`: the bytes of the largest body.
    """
    if run.service.model is None or exchange.method != "POST":
        return None
    asked = unquote_to_bytes(path)
    route = next((route for route in END_WITH_DONE if asked == run.prefix + route), None)
    return None if route is None else CountedStream(route, most)
