"""What each run did in the last minute, as this process counts it. Only where one process sees all requests."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from gateway_lambda.server.exchange import Exchange

_WINDOW = 60
"""Seconds that count: as long as a replica on AWS measures for its figures."""


class _Second:
    """The requests that ended in one second, and their generated tokens."""

    __slots__ = ("at", "requests", "tokens")

    def __init__(self, at: int) -> None:
        self.at = at
        self.requests = self.tokens = 0


class RecentUse:
    """Counts the requests of runs at their ends. `now`: seconds of a monotonic clock."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._seconds: dict[str, deque[_Second]] = {}

    def note(self, exchange: Exchange) -> None:
        """Count a request that has ended, if a run got it."""
        run = exchange.run
        if run is None:
            return
        at = int(self._now())
        seconds = self._seconds.get(run)
        if seconds is None:
            seconds = self._seconds[run] = deque(maxlen=_WINDOW)
        if not seconds or seconds[-1].at != at:
            seconds.append(_Second(at))
        seconds[-1].requests += 1
        if exchange.usage is not None:
            seconds[-1].tokens += exchange.usage.completion_tokens or 0

    def rates(self, run: str) -> tuple[float, float]:
        """Return how many requests ended and how many tokens were generated, a second, over the last minute."""
        since = self._now() - _WINDOW
        recent = [second for second in self._seconds.get(run, ()) if second.at >= since]
        return sum(second.requests for second in recent) / _WINDOW, sum(second.tokens for second in recent) / _WINDOW
