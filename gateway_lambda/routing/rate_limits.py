"""How many requests a client may make of a run: the record's `rate_limits`.

It counts as nginx's `limit_req … nodelay` does, which dstack uses: each request adds one, each second takes `rps` away,
and a request that would exceed `burst` is refused. Each process counts separately.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from urllib.parse import unquote_to_bytes

from gateway_lambda.errors import ServiceError
from gateway_lambda.registry.record import RateLimit
from gateway_lambda.server.exchange import Exchange

_MOST_CLIENTS = 10_000
"""Clients that are remembered for a limit; beyond them, those are forgotten that have nothing against them."""


class RateLimits:
    """The limits of one run, and their counts."""

    def __init__(self, limits: Sequence[RateLimit], now: Callable[[], float] = time.monotonic) -> None:
        longest_first = sorted(limits, key=lambda limit: len(limit.prefix), reverse=True)
        self._limits = [(limit.prefix.encode(), limit, dict[bytes, tuple[float, float]]()) for limit in longest_first]
        self._now = now

    def check(self, exchange: Exchange, path: bytes) -> None:
        """Count a request for a raw path. Raises `ServiceError` (429 with the seconds to wait)."""
        if not self._limits:
            return
        plain = unquote_to_bytes(path)
        for prefix, limit, counts in self._limits:
            if plain.startswith(prefix):
                client = exchange.caller() if limit.header is None else exchange.header(limit.header.lower().encode())
                if client:
                    self._count(limit, counts, client)
                return

    def _count(self, limit: RateLimit, counts: dict[bytes, tuple[float, float]], client: bytes) -> None:
        now = self._now()
        count, since = counts.get(client, (-1.0, now))
        count = max(0.0, count - (now - since) * limit.rps + 1)
        if count > limit.burst:
            wait = max(1, math.ceil((count - limit.burst) / limit.rps))
            raise ServiceError(
                429,
                f"this client sent more than {limit.rps:g} requests a second to {limit.prefix}; wait {wait} s",
                "rate_limit_exceeded",
                headers=((b"retry-after", b"%d" % wait),),
            )
        if len(counts) >= _MOST_CLIENTS and client not in counts:
            _forget(counts, limit.rps, now)
        counts[client] = (count, now)


def _forget(counts: dict[bytes, tuple[float, float]], rps: float, now: float) -> None:
    for client, (count, since) in list(counts.items()):
        if count <= (now - since) * rps:
            del counts[client]
    if len(counts) >= _MOST_CLIENTS:
        counts.clear()
