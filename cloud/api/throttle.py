"""The limit of requests a second of a stage: a token bucket."""

from __future__ import annotations

from collections.abc import Callable


class Bucket:
    """Holds up to `burst` tokens and gets `rate` a second; a request takes one."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._tokens = burst
        self._at = clock()

    def takes(self) -> bool:
        """Take a token, if there is one."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
