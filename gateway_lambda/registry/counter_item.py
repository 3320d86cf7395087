"""The item of a counter in the gateway's DynamoDB table, and the updates that count in it.

Each update is one UpdateItem, which DynamoDB makes as a whole or not at all. Its condition is that no limit refuses the
request. DynamoDB cannot take the larger of two numbers, so an update supposes whether the occupied time ends after now,
and whether the item's day is today. That is also in its condition.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from gateway_lambda.registry.counters import DAY, SECOND, Counted, Entry, Limits

LEASE = 16 * 60
"""Seconds for which a request counts as running. A function that dies cannot say that its request ended. No answer
takes longer than 15 minutes, because no function runs longer (lambda/latest/dg/gettingstarted-limits.html)."""
_NAMES = {"#until": "until", "#day": "day", "#tokens": "tokens", "#running": "running", "#ttl": "ttl"}
"""Attributes, and how expressions write them."""


class Seen(NamedTuple):
    """The item, as far as an instance knows it."""

    until: int = 0
    day: int = 0
    """Days since 1970."""
    tokens: int = 0
    """The tokens of that day."""
    running: tuple[str, ...] = ()
    """Requests, each with the second at which it counts no longer before it."""

    def at(self, now: int) -> tuple[Counted, list[str]]:
        """Return what is counted, and the requests that count no longer."""
        over = [lease for lease in self.running if int(lease.partition("#")[0]) * SECOND <= now]
        # The clock of another instance can be ahead of this one at midnight.
        tokens = self.tokens if self.day >= now // DAY else 0
        return Counted(self.until, tokens, len(self.running) - len(over)), over


def beginning(entry: Entry, seen: Seen) -> dict[str, Any]:
    """Return the update for a request that begins: members of an UpdateItem, without table and key."""
    limits, now = entry.limits, entry.begun
    update = _Update().keep_until(_last(limits, now)).occupy(limits, seen.until, now)
    if limits.tokens_per_day is not None:
        update.tokens(now // DAY, seen, below=limits.tokens_per_day)
    if limits.max_concurrent is not None:
        update.add_running(lease(entry), limits.max_concurrent)
    return update.asked()


def ending(entry: Entry, seen: Seen, tokens: int, now: int) -> dict[str, Any]:
    """Return the update for a request that ended, with its tokens; 0: they are not counted."""
    update = _Update().keep_until(_last(entry.limits, now))
    if tokens:
        update.tokens(now // DAY, seen, add=tokens)
    if entry.limits.max_concurrent is not None:
        update.delete_running([lease(entry)])
    return update.asked()


def forgetting(leases: list[str]) -> dict[str, Any]:
    """Return the update that ends requests that count no longer."""
    return _Update().delete_running(leases).asked()


def lease(entry: Entry) -> str:
    """Return what the item holds while a request runs."""
    return f"{entry.begun // SECOND + LEASE}#{entry.request}"


class _Update:
    """The parts of an UpdateItem."""

    def __init__(self) -> None:
        self._sets: list[str] = []
        self._others: list[str] = []
        self._conditions: list[str] = []
        self._values: dict[str, Any] = {}

    def occupy(self, limits: Limits, until: int, now: int) -> _Update:
        """Occupy the time of one request. `until`: where the time that is occupied ends, as far as is known."""
        if limits.rate is None:
            return self
        if until > now:
            self._sets.append("#until = #until + :each")
            self._conditions.append("#until > :now AND #until <= :latest")
            self._numbers(each=limits.rate.each, now=now, latest=now + limits.rate.ahead)
        else:
            self._sets.append("#until = :next")
            self._conditions.append("(attribute_not_exists(#until) OR #until <= :now)")
            self._numbers(next=now + limits.rate.each, now=now)
        return self

    def tokens(self, day: int, seen: Seen, *, add: int = 0, below: int | None = None) -> _Update:
        """Add tokens of a day. `below`: only if its tokens are below that."""
        day = max(day, seen.day)
        self._numbers(day=day)
        if day > seen.day:
            self._sets += ["#day = :day", "#tokens = :tokens"]
            self._conditions.append("(attribute_not_exists(#day) OR #day < :day)")
            self._numbers(tokens=add)
            return self
        self._conditions.append("#day = :day")
        if add:
            self._others.append("ADD #tokens :tokens")
            self._numbers(tokens=add)
        if below is not None:
            self._conditions.append("#tokens < :below")
            self._numbers(below=below)
        return self

    def add_running(self, lease: str, below: int) -> _Update:
        """Count a running request, if fewer than `below` are counted."""
        self._others.append("ADD #running :running")
        self._conditions.append("(attribute_not_exists(#running) OR size(#running) < :most)")
        self._values[":running"] = {"SS": [lease]}
        self._numbers(most=below)
        return self

    def delete_running(self, leases: list[str]) -> _Update:
        """Count requests as running no longer."""
        self._others.append("DELETE #running :running")
        self._values[":running"] = {"SS": leases}
        return self

    def keep_until(self, seconds: int) -> _Update:
        """Say from when on DynamoDB can delete the item, in seconds since 1970."""
        self._sets.append("#ttl = :ttl")
        self._numbers(ttl=seconds)
        return self

    def asked(self) -> dict[str, Any]:
        """The members of the request, without table and key."""
        sets = [f"SET {', '.join(self._sets)}"] if self._sets else []
        expression, condition = " ".join([*sets, *self._others]), " AND ".join(self._conditions)
        used = f"{expression} {condition}"
        asked: dict[str, Any] = {
            "UpdateExpression": expression,
            "ExpressionAttributeNames": {short: name for short, name in _NAMES.items() if short in used},
            "ExpressionAttributeValues": self._values,
            "ReturnValues": "ALL_NEW",
        }
        if condition:
            asked |= {"ConditionExpression": condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        return asked

    def _numbers(self, **values: int) -> None:
        self._values |= {f":{name}": {"N": str(value)} for name, value in values.items()}


def _last(limits: Limits, now: int) -> int:
    """When nothing in the item counts any longer, in seconds since 1970."""
    times = [now // SECOND + LEASE]
    if limits.rate is not None:
        times.append((now + limits.rate.ahead + limits.rate.each) // SECOND + LEASE)
    if limits.tokens_per_day is not None:
        times.append((now // DAY + 2) * DAY // SECOND)
    return max(times)
