"""The state items in the gateway's table: what each replica of a run last said of itself (infra/planning/boot).

They are not in the partition of the registry, so only the page asks for them, with one Query for each run.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated

import msgspec

from gateway_lambda.registry.items import BrokenItem, Item, items_in, plain
from gateway_lambda.registry.table import StateItem
from gateway_lambda.registry.table_client import NO_ANSWER, TableClient

_LOG = logging.getLogger(__name__)
PATIENCE = 2.0
"""Seconds for the items of a run. The page waits for them."""
_AT_ONCE = 8
"""Queries that run at the same time, so that a page with a hundred runs does not open a hundred connections."""


class StateItems:
    """Reads the state items of runs. `client`: for this alone. `clock`: seconds since 1970."""

    def __init__(self, client: TableClient, clock: Callable[[], float]) -> None:
        self._client = client
        self._clock = clock
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0
        self._failing = False

    async def of(self, run: str) -> tuple[StateItem, ...]:
        """Return the items of a run, by instance; nothing, and a line in the log, if they do not come in time."""
        self._waiting += 1
        try:
            async with asyncio.timeout(PATIENCE), self._turns:
                pages = await self._client.query(f"state#{run}", consistent=False)
            found = tuple(read_state_items(items_in(pages), self._clock()))
        except NO_ANSWER as problem:
            if not self._failing:
                reason = str(problem) or "no answer in time"
                _LOG.error(
                    "the state items in %s cannot be read, and the page lacks them: %s", self._client.name, reason
                )
            self._failing = True
            return ()
        finally:
            self._waiting -= 1
            if not self._waiting:
                # What is open while a function is frozen may be dead after it.
                self._client.close()
        self._failing = False
        return found


def read_state_items(items: Iterable[Item], now: float) -> Iterator[StateItem]:
    """Yield the state items that have not expired. One that cannot be read is left out: the page lacks only this one.

    `now`: seconds since 1970. DynamoDB can keep an item for days after it has expired.
    """
    for item in items:
        try:
            said = {name: plain(value) for name, value in item.items() if name in _READ}
            read = msgspec.convert(said, _Item)
        except (BrokenItem, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
        if read.ttl > now:
            yield _state_item(read)


_Rate = Annotated[float, msgspec.Meta(ge=0)]


class _Item(msgspec.Struct, kw_only=True):
    sk: str
    ttl: float
    at: float = 0
    step: str = ""
    percent: float | None = None
    cause: str | None = None
    final: bool = False
    figures: str | None = None
    figures_at: float = 0


_READ = frozenset(_Item.__struct_fields__)


class _Figures(msgspec.Struct):
    requests_per_second: _Rate | None = None
    tokens_per_second: _Rate | None = None


def _state_item(item: _Item) -> StateItem:
    figures = _figures(item.figures)
    return StateItem(
        instance=item.sk,
        at=item.at,
        step=item.step,
        percent=item.percent,
        cause=item.cause,
        final=item.final,
        figures_at=item.figures_at,
        requests_per_second=figures.requests_per_second,
        tokens_per_second=figures.tokens_per_second,
    )


def _figures(text: str | None) -> _Figures:
    try:
        return _Figures() if text is None else msgspec.json.decode(text, type=_Figures)
    except (msgspec.MsgspecError, RecursionError):
        return _Figures()
