"""The limits of a key: `requests_per_minute`, `tokens_per_day`, `max_concurrent`.

The keys of one person, `alice` and `alice@2`, have one counter. A minute's requests can come at once, and each becomes
available again after its part of the minute. The forms of the headers and codes are those of OpenAI
(platform.openai.com/docs/guides/rate-limits, platform.openai.com/docs/guides/error-codes).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple

from gateway_lambda.errors import NO_RETRY, GatewayError, Header, ServiceError
from gateway_lambda.registry.counters import (
    DAY,
    OF_KEYS,
    SECOND,
    Counted,
    Counters,
    Entry,
    Limits,
    Rate,
    Reason,
    per_minute,
)
from gateway_lambda.registry.record import Key, person
from gateway_lambda.server.exchange import Exchange


class _Limited(NamedTuple):
    """A key, and what follows from it for each of its requests."""

    key: Key
    counter: str
    limits: Limits
    requests: Header | None
    """The header that says how many requests a minute there can be."""
    tokens: Header | None


class KeyLimits:
    """Counts the requests of keys that have limits. `now`: in nanoseconds since 1970."""

    def __init__(self, counters: Counters, now: Callable[[], int] = time.time_ns) -> None:
        self._counters = counters
        self._now = now
        self._limited: dict[str, _Limited] = {}

    async def begin(self, exchange: Exchange, key: Key) -> None:
        """Count a request, and say in its response what is left. Its end is counted before the response ends.

        Raises `GatewayError` (429) if a limit of the key is reached.
        """
        limited = self._limited.get(key.name)
        if limited is None or limited.key is not key:
            limited = self._limited[key.name] = _limited(key)
        limits, now = limited.limits, self._now()
        entry = Entry(limited.counter, limits, exchange.request_id.decode(), now)
        others = exchange.listeners
        if limits.tokens_per_day is not None or limits.max_concurrent is not None:
            exchange.listeners = (partial(self._end, entry), *others)
        exchange.counts_tokens = limits.tokens_per_day is not None
        verdict = await self._counters.begin(entry)
        if verdict is None:
            return
        exchange.limits = _headers(limited, verdict.counted, now)
        if verdict.refused is not None:
            exchange.listeners = others
            raise _refusal(verdict.refused, key, limits.rate, verdict.counted, now)

    def _end(self, entry: Entry, exchange: Exchange) -> Awaitable[None]:
        usage = exchange.usage
        tokens = 0 if usage is None else (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)
        return self._counters.end(entry, tokens, self._now())


def _limited(key: Key) -> _Limited:
    per, tokens = key.requests_per_minute, key.tokens_per_day
    return _Limited(
        key,
        f"{OF_KEYS}{person(key.name)}",
        Limits(None if per is None else per_minute(per), tokens, key.max_concurrent),
        None if per is None else (b"x-ratelimit-limit-requests", b"%d" % per),
        None if tokens is None else (b"x-ratelimit-limit-tokens", b"%d" % tokens),
    )


def _headers(limited: _Limited, counted: Counted, now: int) -> tuple[Header, ...]:
    key, rate = limited.key, limited.limits.rate
    headers: tuple[Header, ...] = ()
    if limited.requests is not None and rate is not None and key.requests_per_minute is not None:
        ahead = max(0, counted.occupied_until - now)
        left = max(0, key.requests_per_minute - _up(ahead, rate.each))
        headers = (
            limited.requests,
            (b"x-ratelimit-remaining-requests", b"%d" % left),
            (b"x-ratelimit-reset-requests", _duration(ahead)),
        )
    if limited.tokens is not None and key.tokens_per_day is not None:
        headers += (
            limited.tokens,
            (b"x-ratelimit-remaining-tokens", b"%d" % max(0, key.tokens_per_day - counted.tokens)),
            (b"x-ratelimit-reset-tokens", _duration(DAY - now % DAY)),
        )
    return headers


def _refusal(reason: Reason, key: Key, rate: Rate | None, counted: Counted, now: int) -> GatewayError:
    if reason == "tokens":
        wait = _up(DAY - now % DAY, SECOND)
        return GatewayError(
            429,
            f"this API key has used its {_count(key.tokens_per_day, 'token')} of the day; it can be used again after "
            f"midnight in UTC, in {wait} s",
            type="insufficient_quota",
            code="insufficient_quota",
            headers=(_retry_after(wait), NO_RETRY),
        )
    if reason == "rate" and rate is not None:
        wait = max(1, _up(counted.occupied_until - rate.ahead - now, SECOND))
        message = f"this API key may make {_count(key.requests_per_minute, 'request')} a minute; wait {wait} s"
    else:
        wait = 1
        message = f"this API key may have {_count(key.max_concurrent, 'request')} at once; wait until one ends"
    return ServiceError(429, message, "rate_limit_exceeded", headers=(_retry_after(wait),))


def _count(number: int | None, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _retry_after(seconds: int) -> Header:
    return b"retry-after", b"%d" % seconds


def _duration(nanoseconds: int) -> bytes:
    """Return a time in whole seconds as OpenAI writes it: `1s`, `6m0s`, `23h59m0s`."""
    seconds = -(-nanoseconds // SECOND)
    if seconds < 60:
        return b"%ds" % seconds
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return b"%dh%dm%ds" % (hours, minutes, seconds)
    return b"%dm%ds" % (minutes, seconds)


def _up(number: int, unit: int) -> int:
    """Divide, and round up."""
    return -(-number // unit)
