"""The exception to passing a request on unchanged."""

from __future__ import annotations

from typing import Protocol

from gateway_lambda.server.exchange import Exchange
from gateway_lambda.upstream.reply import Reply


class Change(Protocol):
    """What changes a request on its way to a run's own service, and its answer on its way back."""

    async def body(self, exchange: Exchange) -> bytes:
        """Return the whole body to send. Raises `GatewayError`."""
        ...

    async def pass_back(self, exchange: Exchange, reply: Reply) -> None:
        """Pass the answer back, as `proxy.pass_back` does."""
        ...
