"""The times at which the chunks of a stream arrived."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field

from commands.smoke.outcome import Say

TELL_EVERY = 15.0
"""Seconds between two lines about a stream that is still going on."""


@dataclass
class Arrivals:
    """The times of one stream. They are noted while the stream is read."""

    began: float = field(default_factory=time.monotonic)
    times: list[float] = field(default_factory=list[float])
    """Of each chunk with text, in seconds after the stream was asked for."""
    text: str = ""
    finish: str | None = None
    """Why the model ended; `None`: it did not."""

    @property
    def seconds(self) -> float:
        """The time until the last chunk."""
        return self.times[-1] if self.times else 0.0

    def note(self, text: str) -> None:
        """Note that a chunk has arrived."""
        self.times.append(time.monotonic() - self.began)
        self.text += text

    def gaps(self) -> list[float]:
        """Return the seconds between chunks."""
        return [later - earlier for earlier, later in zip(self.times, self.times[1:], strict=False)]

    def described(self) -> str:
        """Return how the chunks arrived, in one line. It needs two chunks or more."""
        gaps = [gap * 1000 for gap in self.gaps()]
        return (
            f"{len(self.times)} chunks, the first after {self.times[0]:.2f} s, then "
            f"{statistics.median(gaps):.0f} ms apart (median), {max(gaps):.0f} ms at most"
        )


class Telling:
    """Prints how far a stream is, every `TELL_EVERY` seconds."""

    def __init__(self, seconds: float, say: Say) -> None:
        self._seconds = seconds
        self._say = say
        self._told = 0.0

    def tell(self, arrivals: Arrivals) -> None:
        if arrivals.seconds >= self._told + TELL_EVERY:
            self._told = arrivals.seconds
            self._say(f"  {arrivals.seconds:.0f} of {self._seconds:.0f} s, {len(arrivals.times)} chunks …")
