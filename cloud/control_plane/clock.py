"""AWS's own waiting times, which can run faster than the clock."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """Turns what AWS waits into what is waited here."""

    speed: float = 1.0
    """How many of AWS's seconds pass in a second. Timestamps stay those of the real clock."""

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def lasts(self, seconds: float) -> float:
        """How long AWS's `seconds` last here, in seconds."""
        return seconds / self.speed
