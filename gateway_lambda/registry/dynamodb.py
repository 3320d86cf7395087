"""The registry in a DynamoDB table, read with one Query whenever the copy in memory is too old.

A function is frozen between requests, so nothing runs by a timer. A request that finds an old copy reads the table
again, and waits only a moment if the old copy can still be used.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from gateway_lambda.errors import ServiceError, unavailable
from gateway_lambda.registry.items import Item, items_in, read_items
from gateway_lambda.registry.table import StateItem, Table
from gateway_lambda.registry.table_client import NO_ANSWER, TableClient
from gateway_lambda.registry.table_counters import TableCounters

if TYPE_CHECKING:
    from gateway_lambda.registry.state_items import StateItems

_LOG = logging.getLogger(__name__)

FRESH_FOR = 30.0
"""Seconds for which a copy is used without reading the table."""
USABLE_FOR = 300.0
"""Seconds for which a copy is used if the table cannot be read."""
PATIENCE = 0.3
"""Seconds that a request waits for a new copy while the old one can still be used."""
PATIENCE_WITHOUT = 3.0
"""The same without a usable copy, and for something that the copy does not have. After it, the answer is 503."""
APART = 1.0
"""Seconds between two readings for something that a copy does not have, and after a failed reading."""


class DynamoRegistry:
    """The last good copy of the registry's items in one table.

    If the table cannot be read, this is logged, and the last good copy is used for five minutes. Requests that come
    together share one reading. Each reading takes the credentials from `environment`. `clock`: seconds since 1970. A
    monotonic clock can stand still while a function is frozen.
    """

    def __init__(self, name: str, environment: Mapping[str, str], clock: Callable[[], float] = time.time) -> None:
        """Raises `RegistryError` if a setting is missing, so that the table can never be read."""
        self._clock = clock
        self._client = TableClient(name, environment, clock)
        self.counters = TableCounters(self._client.another())
        self._states: StateItems | None = None
        self._table: Table | None = None
        self._pages: list[bytes] = []
        self._problems: frozenset[str] = frozenset()
        self._read_at = self._forced_at = self._failed_at = float("-inf")
        self._looking: asyncio.Task[None] | None = None
        self._forcing = False

    async def table(self) -> Table:
        """Return a copy of the last 30 s, else a new one, else one of the last 5 min. Raises `ServiceError` (503)."""
        if self._table is not None and self._within(FRESH_FOR, self._read_at):
            return self._table
        if self._usable() and (self._within(APART, self._failed_at) or self._forcing):
            return self._copy()
        await self._look(consistent=False)
        return self._copy()

    async def refreshed(self) -> Table:
        """Return a copy with everything that was written before this call, or such a copy of the last second.

        Raises `ServiceError` (503) if the table was not read: what the last good copy does not have can be in it.
        """
        if self._looking is not None:
            await self._look(consistent=False)
        if not self._within(APART, self._forced_at):
            await self._look(consistent=True)
        if self._read_at < self._forced_at:
            raise _unreadable()
        return self._copy()

    async def state_items(self, run: str) -> Sequence[StateItem]:
        """Return what the table has now, or nothing if it does not answer in time."""
        if self._states is None:
            # Imported here: a function that starts for a request has no time for what only the page asks.
            from gateway_lambda.registry.state_items import StateItems

            self._states = StateItems(self._client.another(), self._clock)
        return await self._states.of(run)

    def _copy(self) -> Table:
        if self._table is None or not self._usable():
            raise _unreadable()
        return self._table

    def _usable(self) -> bool:
        return self._table is not None and self._within(USABLE_FOR, self._read_at)

    def _within(self, seconds: float, since: float) -> bool:
        """Whether at most that much time has passed. False if the clock was set back."""
        return 0 <= self._clock() - since < seconds

    async def _look(self, *, consistent: bool) -> None:
        """Read the table, or wait for the reading that is under way."""
        if self._looking is None:
            self._forcing = consistent
            self._looking = asyncio.create_task(self._try(consistent))
            self._looking.add_done_callback(self._looked)
        await asyncio.shield(self._looking)

    def _looked(self, task: asyncio.Task[None]) -> None:
        self._looking = None
        self._forcing = False

    async def _try(self, consistent: bool) -> None:
        began = self._clock()
        if consistent:
            self._forced_at = began
        try:
            async with asyncio.timeout(PATIENCE if self._usable() and not consistent else PATIENCE_WITHOUT):
                pages = await self._client.query("registry", consistent=consistent)
            if self._table is None or pages != self._pages:
                self._take(items_in(pages))
                self._pages = pages
            self._read_at = began
        except NO_ANSWER as problem:
            self._failed_at = began
            stays = "the gateway uses the last good copy" if self._usable() else "the gateway has no copy"
            reason = str(problem) or "no answer in time"
            _LOG.error("the registry table %s cannot be read, and %s: %s", self._client.name, stays, reason)
        finally:
            # A connection can die while a function is frozen, and a request on a dead one costs the whole wait.
            self._client.close()

    def _take(self, items: list[Item]) -> None:
        registry, problems = read_items(items)
        for problem in problems:
            if problem not in self._problems:
                _LOG.error("registry table %s: the gateway ignores an item: %s", self._client.name, problem)
        self._problems = frozenset(problems)
        self._table = Table(registry, self._table)


def _unreadable() -> ServiceError:
    return unavailable("the gateway cannot read its registry now; try again shortly")
