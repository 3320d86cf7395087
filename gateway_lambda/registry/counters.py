"""Counting requests and tokens for limits: what is counted, when a request is refused, and counts in memory.

A request is counted when it begins, and again when it ends. Of a request that is refused, nothing is counted.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

import msgspec

SECOND = 1_000_000_000
"""Nanoseconds. All times of counters are in nanoseconds, as whole numbers, so that no rounding lets a request pass."""
DAY = 86_400 * SECOND
_FARTHEST = 36_500 * DAY
"""The most time that requests can be ahead: all times stay below 2^63."""
OF_KEYS = "key#"
"""The first characters of the names of the counters of keys."""
_MOST_COUNTERS = 10_000
"""Counters in memory. Beyond them, those of clients are forgotten that have nothing against a request."""
_MANY_COUNTERS = 9_000
"""If so many have something against a request, all those of clients are forgotten: looking through them takes time."""

Reason = Literal["tokens", "rate", "concurrent"]


class Rate(NamedTuple):
    """A steady rate, and how far requests can run ahead of it.

    It counts as nginx's `limit_req` with `nodelay` does: each request occupies the next stretch of time, and is refused
    if that begins too far ahead of now.
    """

    each: int
    """The time that one request occupies."""
    ahead: int
    """How far ahead of now that time can begin."""


class Limits(NamedTuple):
    """The limits of one counter. `None` means no limit."""

    rate: Rate | None = None
    tokens_per_day: int | None = None
    """A request is refused when the tokens of this day, in UTC, have reached it."""
    max_concurrent: int | None = None


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A request at a counter."""

    counter: str
    limits: Limits
    request: str
    """The id of the request."""
    begun: int
    """When the request began: since 1970."""


class Counted(msgspec.Struct, frozen=True, gc=False):
    """What a counter has counted."""

    occupied_until: int = 0
    """The end of the time that requests occupy: since 1970."""
    tokens: int = 0
    """The tokens of this day."""
    running: int = 0
    """Requests that have begun and have not ended."""


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """Whether a request can pass, and what is counted now, with this request if it passes."""

    refused: Reason | None
    counted: Counted


class Counters(Protocol):
    """Where requests are counted."""

    async def begin(self, entry: Entry) -> Verdict | None:
        """Count a request that begins, unless a limit refuses it. `None`: the counter does not answer."""
        ...

    async def end(self, entry: Entry, tokens: int, now: int) -> None:
        """Count the end of a request that was not refused, with the tokens that it used. `now`: since 1970."""
        ...

    def close(self) -> None:
        """End all connections."""
        ...


def per_minute(requests: int) -> Rate:
    """Return the rate of so many requests a minute, all of which can come at once."""
    each = max(1, 60 * SECOND // requests)
    return Rate(each, min((requests - 1) * each, _FARTHEST))


def per_second(requests: float, burst: int) -> Rate:
    """Return the rate of so many requests a second, of which `burst` can come ahead."""
    each = max(1, round(SECOND / requests))
    return Rate(each, min(burst * each, _FARTHEST))


def why_refused(counted: Counted, limits: Limits, now: int) -> Reason | None:
    """Return the limit that refuses one more request now; of several, the one that takes the longest to pass."""
    if limits.tokens_per_day is not None and counted.tokens >= limits.tokens_per_day:
        return "tokens"
    if limits.rate is not None and counted.occupied_until > now + limits.rate.ahead:
        return "rate"
    if limits.max_concurrent is not None and counted.running >= limits.max_concurrent:
        return "concurrent"
    return None


class _Held:
    """A counter in memory."""

    __slots__ = ("day", "occupied_until", "running", "tokens")

    def __init__(self) -> None:
        self.occupied_until = 0
        self.day = 0
        """Days since 1970."""
        self.tokens = 0
        self.running: set[str] = set()

    def on(self, day: int) -> Counted:
        """What is counted on a day."""
        if day != self.day:
            self.day, self.tokens = day, 0
        return Counted(self.occupied_until, self.tokens, len(self.running))


class MemoryCounters:
    """Counters in the memory of this process, for a gateway that is one process."""

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}

    async def begin(self, entry: Entry) -> Verdict:
        """Count as `Counters.begin`."""
        now, limits, held = entry.begun, entry.limits, self._held.get(entry.counter)
        if held is None:
            held = self._new(entry.counter, now)
        counted = held.on(now // DAY)
        refused = why_refused(counted, limits, now)
        if refused is not None:
            return Verdict(refused, counted)
        if limits.rate is not None:
            held.occupied_until = max(held.occupied_until, now) + limits.rate.each
        if limits.max_concurrent is not None:
            held.running.add(entry.request)
        return Verdict(None, Counted(held.occupied_until, held.tokens, len(held.running)))

    async def end(self, entry: Entry, tokens: int, now: int) -> None:
        """Count as `Counters.end`."""
        held = self._held.get(entry.counter)
        if held is not None:
            held.running.discard(entry.request)
            if entry.limits.tokens_per_day is not None:
                held.on(now // DAY)
                held.tokens += tokens

    def close(self) -> None:
        """Nothing is open."""

    def _new(self, counter: str, now: int) -> _Held:
        if len(self._held) >= _MOST_COUNTERS:
            # A caller can make up as many names of clients as it likes, but not of keys.
            keys = {name: held for name, held in self._held.items() if name.startswith(OF_KEYS)}
            busy = {name: held for name, held in self._held.items() if held.occupied_until > now}
            self._held = keys if len(busy) > _MANY_COUNTERS else busy | keys
        held = self._held[counter] = _Held()
        return held
