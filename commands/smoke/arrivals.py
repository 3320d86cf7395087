"""When the chunks of a stream came."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field

from commands.smoke.outcome import Say

TELL_EVERY = 15.0
"""Seconds between two lines about a stream that is still going on."""


@dataclass
class Arrivals:
    """Of one stream, while it is read."""

    began: float = field(default_factory=time.monotonic)
    times: list[float] = field(default_factory=list[float])
    """Of each chunk with text, in seconds after the stream was asked for."""
    text: str = ""
    finish: str | None = None
    """Why the model ended; `None`: it did not."""

    @property
    def seconds(self) -> float:
        """Until the last chunk."""
        return self.times[-1] if self.times else 0.0

    def note(self, text: str) -> None:
        """A chunk has come."""
        self.times.append(time.monotonic() - self.began)
        self.text += text

    def gaps(self) -> list[float]:
        """Seconds between chunks."""
        return [later - earlier for earlier, later in zip(self.times, self.times[1:], strict=False)]

    def described(self) -> str:
        """How they came, in one line; of two chunks and more."""
        gaps = [gap * 1000 for gap in self.gaps()]
        return (
            f"{len(self.times)} chunks, the first after {self.times[0]:.2f} s, then "
            f"{statistics.median(gaps):.0f} ms apart (median), {max(gaps):.0f} ms at most"
        )


class Telling:
    """Says how far a stream is, every few seconds of it."""

    def __init__(self, seconds: float, say: Say) -> None:
        self._seconds = seconds
        self._say = say
        self._told = 0.0

    def tell(self, arrivals: Arrivals) -> None:
        if arrivals.seconds >= self._told + TELL_EVERY:
            self._told = arrivals.seconds
            self._say(f"  {arrivals.seconds:.0f} of {self._seconds:.0f} s, {len(arrivals.times)} chunks …")
