"""How many requests a client may make of a run: the record's `rate_limits`.

It counts as nginx's `limit_req … nodelay` does, which dstack uses: each request adds one, each second takes `rps` away,
and a request that would exceed `burst` is refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from urllib.parse import unquote_to_bytes

import msgspec

from gateway_lambda.errors import ServiceError
from gateway_lambda.registry.counters import SECOND, Counters, Entry, Limits, per_second
from gateway_lambda.registry.record import RateLimit
from gateway_lambda.server.exchange import Exchange


class RateLimits:
    """The limits of one run. `now`: in nanoseconds since 1970."""

    def __init__(
        self, run: str, limits: Sequence[RateLimit], counters: Counters, now: Callable[[], int] = time.time_ns
    ) -> None:
        self._run = run
        longest_first = sorted(limits, key=lambda limit: len(limit.prefix), reverse=True)
        self._limits = [
            (limit.prefix.encode(), limit, Limits(per_second(limit.rps, limit.burst)), msgspec.json.encode(limit))
            for limit in longest_first
        ]
        self._counters = counters
        self._now = now

    async def check(self, exchange: Exchange, path: bytes) -> None:
        """Count a request for a raw path. Raises `ServiceError` (429 with the seconds to wait)."""
        plain = unquote_to_bytes(path)
        for prefix, limit, limits, written in self._limits:
            if plain.startswith(prefix):
                client = exchange.caller() if limit.header is None else exchange.header(limit.header.lower().encode())
                if client:
                    # A changed limit counts from the beginning. What tells clients apart can be an address or a key.
                    counter = f"run#{self._run}#{sha256(written + client).hexdigest()[:32]}"
                    await self._count(Entry(counter, limits, exchange.request_id.decode(), self._now()), limit)
                return

    async def _count(self, entry: Entry, limit: RateLimit) -> None:
        verdict = await self._counters.begin(entry)
        rate = entry.limits.rate
        if verdict is None or verdict.refused is None or rate is None:
            return
        wait = max(1, -(-(verdict.counted.occupied_until - rate.ahead - entry.begun) // SECOND))
        raise ServiceError(
            429,
            f"this client sent more than {limit.rps:g} requests a second to {limit.prefix}; wait {wait} s",
            "rate_limit_exceeded",
            headers=((b"retry-after", b"%d" % wait),),
        )
