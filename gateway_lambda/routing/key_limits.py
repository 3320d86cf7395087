"""How many requests a minute a key may make: its `requests_per_minute`.

That many can come at once. Each becomes available again after its part of the minute. Each process counts separately.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from gateway_lambda.errors import ServiceError
from gateway_lambda.server.exchange import Exchange


class KeyLimits:
    """The requests of each key, by its name."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._counts: dict[str, tuple[float, float]] = {}
        self._now = now

    def count(self, exchange: Exchange, key: str, requests_per_minute: int) -> None:
        """Count a request, and say in its response what is left. Raises `ServiceError` (429 and the time to wait)."""
        now = self._now()
        each = 60 / requests_per_minute
        used, since = self._counts.get(key, (0.0, now))
        used = max(0.0, used - (now - since) / each)
        refused = used + 1 > requests_per_minute
        if not refused:
            used += 1
            self._counts[key] = (used, now)
        exchange.limits = (
            (b"x-ratelimit-limit-requests", b"%d" % requests_per_minute),
            (b"x-ratelimit-remaining-requests", b"%d" % (0 if refused else requests_per_minute - math.ceil(used))),
            (b"x-ratelimit-reset-requests", b"%ds" % math.ceil(used * each)),
        )
        if refused:
            wait = max(1, math.ceil((used + 1 - requests_per_minute) * each))
            raise ServiceError(
                429,
                f"this API key may make {requests_per_minute} requests a minute; wait {wait} s",
                "rate_limit_exceeded",
                headers=((b"retry-after", b"%d" % wait),),
            )
