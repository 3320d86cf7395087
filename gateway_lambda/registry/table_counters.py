"""Counters in the gateway's DynamoDB table, which all instances of the function share.

An update supposes what is in the item. If that is wrong or a limit refuses the request, DynamoDB sends the item with
its refusal. Then the gateway knows which limit refuses the request, or what to suppose in a second update.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from gateway_lambda.registry.counter_item import Seen, beginning, ending, forgetting, lease
from gateway_lambda.registry.counters import DAY, Entry, Verdict, why_refused
from gateway_lambda.registry.table_client import CONDITION, NO_ANSWER, Refused, TableClient

_LOG = logging.getLogger(__name__)

PARTITION = "limit#"
"""The first characters of the partition of every counter. The function's role can write to no other."""
SORT_KEY = "counter"
PATIENCE = 0.1
"""Seconds that a request waits for the table before it begins. After that it passes, and is not counted."""
PATIENCE_TO_CONNECT = 0.5
"""Seconds more, if the function must open a connection first."""
PATIENCE_AT_END = 1.0
"""Seconds that the end of an answer waits. After that, its tokens are lost, or it seems to run for 16 minutes."""
APART = 1.0
"""Seconds after a failure in which the table is not asked before a request, so that it does not delay every request."""
_TRIES = 8
"""Updates for one count. More than four are not needed, unless other instances change what this one supposes."""
_MOST_SEEN = 10_000
_NOTHING = Seen()


class _Item(msgspec.Struct):
    """The attributes of a counter, as DynamoDB writes them."""

    until: dict[str, int] = {}
    day: dict[str, int] = {}
    tokens: dict[str, int] = {}
    running: dict[str, list[str]] = {}


class _Answer(msgspec.Struct):
    attributes: _Item = msgspec.field(name="Attributes", default_factory=_Item)
    item: _Item = msgspec.field(name="Item", default_factory=_Item)
    """The item that did not satisfy a condition."""


class TableCounters:
    """Counters that are exact across all processes that share a table.

    If the table does not answer in time, this is logged, and the request passes.
    """

    def __init__(self, client: TableClient) -> None:
        self._client = client
        self._seen: dict[str, Seen] = {}
        self._failed_at = float("-inf")

    def close(self) -> None:
        """End all connections."""
        self._client.close()

    async def begin(self, entry: Entry) -> Verdict | None:
        """Count as `Counters.begin`."""
        refused = self._refused_still(entry)
        if refused is not None:
            return refused
        if 0 <= time.time() - self._failed_at < APART:
            return None
        try:
            async with asyncio.timeout(PATIENCE_TO_CONNECT):
                await self._client.connect()
            async with asyncio.timeout(PATIENCE):
                return await self._begin(entry)
        except NO_ANSWER as problem:
            self._fail("lets a request pass", problem)
            return None

    async def end(self, entry: Entry, tokens: int, now: int) -> None:
        """Count as `Counters.end`."""
        counts_tokens = bool(tokens) and entry.limits.tokens_per_day is not None
        if not counts_tokens and entry.limits.max_concurrent is None:
            return
        try:
            async with asyncio.timeout(PATIENCE_AT_END):
                await self._end(entry, tokens if counts_tokens else 0, now)
        except NO_ANSWER as problem:
            self._fail("cannot count the end of a request", problem)

    def _refused_still(self, entry: Entry) -> Verdict | None:
        """The occupied time and the tokens of a day only grow. So what they refused once is refused without a question,
        and a caller who does not wait cannot bring the table to its limits."""
        counted, _ = self._seen.get(entry.counter, _NOTHING).at(entry.begun)
        reason = why_refused(counted, entry.limits._replace(max_concurrent=None), entry.begun)
        return None if reason is None else Verdict(reason, counted)

    def _fail(self, what: str, problem: Exception) -> None:
        self._failed_at = time.time()
        reason = str(problem) or "no answer in time"
        _LOG.error("limits cannot be counted in the table %s, and the gateway %s: %s", self._client.name, what, reason)

    async def _begin(self, entry: Entry) -> Verdict:
        now = entry.begun
        for _ in range(_TRIES):
            try:
                seen = await self._update(entry.counter, beginning(entry, self._supposed(entry.counter, now)))
                return Verdict(None, seen.at(now)[0])
            except Refused as refused:
                seen = self._see(entry.counter, _refusing(refused))
                counted, over = seen.at(now)
                if lease(entry) in seen.running:  # it was counted, but that answer was lost, and it was sent again
                    return Verdict(None, counted)
                reason = why_refused(counted, entry.limits, now)
                if reason is not None:
                    return Verdict(reason, counted)
                if over:
                    await self._update(entry.counter, forgetting(over))
        raise Refused("the counter changes too often")

    async def _end(self, entry: Entry, tokens: int, now: int) -> None:
        for _ in range(_TRIES):
            try:
                await self._update(entry.counter, ending(entry, self._supposed(entry.counter, now), tokens, now))
                return
            except Refused as refused:
                self._see(entry.counter, _refusing(refused))
        raise Refused("the counter changes too often")

    def _supposed(self, counter: str, now: int) -> Seen:
        return self._seen.get(counter) or Seen(day=now // DAY)

    async def _update(self, counter: str, update: Mapping[str, Any]) -> Seen:
        """Raises `Refused` if a condition fails, and all else that is in `NO_ANSWER`."""
        key = {"pk": {"S": f"{PARTITION}{counter}"}, "sk": {"S": SORT_KEY}}
        answer = await self._client.ask("UpdateItem", {"Key": key, **update})
        return self._see(counter, msgspec.json.decode(answer, type=_Answer, strict=False).attributes)

    def _see(self, counter: str, item: _Item) -> Seen:
        if len(self._seen) >= _MOST_SEEN:
            self._seen.clear()
        seen = self._seen[counter] = Seen(
            item.until.get("N", 0), item.day.get("N", 0), item.tokens.get("N", 0), tuple(item.running.get("SS", ()))
        )
        return seen


def _refusing(refused: Refused) -> _Item:
    """Return the item that did not satisfy a condition. Raises `refused` if it is another refusal."""
    if refused.kind != CONDITION:
        raise refused
    return msgspec.json.decode(refused.answer, type=_Answer, strict=False).item
