"""Which replica of a run gets a request, and which one gets it next if that one fails."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from enum import IntEnum
from functools import partial
from typing import TypeVar

from gateway_lambda.errors import ServiceError, unavailable
from gateway_lambda.server.waiting import note_wait, others_can_answer
from gateway_lambda.upstream.health import BUSY, Health
from gateway_lambda.upstream.replica import Replica

_Result = TypeVar("_Result")

_LONGEST_WAIT = 1.0
"""Seconds that a request waits for a replica to show that it is there, where none is known to be."""
_MOST_BUSY = 2
"""Replicas that refuse a request because they are busy, before the caller hears of it. Asking all of them would give
the most work to a run that has too much of it."""


class Doubt(IntEnum):
    """How doubtful it is that a run answers one more request."""

    NONE = 0
    """One of its replicas is well."""
    SOME = 1
    """Its replicas say that they are busy, do not answer a question, or failed and have not answered one since."""
    GREAT = 2
    """Its replicas are put aside, or it has none."""


class ReplicaChooser:
    """Chooses among replicas, and checks whether those that failed work again."""

    def __init__(self, ask_whether_there: Callable[[Replica], Awaitable[None]]) -> None:
        """`ask_whether_there` asks a replica its question, and notes the result in its health. It raises nothing."""
        self._ask_whether_there = ask_whether_there
        self._turn = 0

    async def on_a_replica(self, replicas: Sequence[Replica], ask: Callable[[Replica], Awaitable[_Result]]) -> _Result:
        """Return what `ask` gets from one of several replicas. Others get the request in turn while the errors have
        `another`.

        Raises `ServiceError`: the error of the last one.
        """
        tried: tuple[Replica, ...] = ()
        busy = 0
        while True:
            replica = self._best(replicas, tried) or await self._wait_for_one(replicas, tried)
            replica.health.given(asyncio.get_running_loop().time())
            try:
                return await ask(replica)
            except ServiceError as error:
                tried = (*tried, replica)
                busy += error.status in BUSY
                if not error.another or busy == _MOST_BUSY or len(tried) == len(replicas):
                    raise

    def doubt(self, replicas: Sequence[Replica]) -> Doubt:
        """Return how doubtful a run with these replicas is. Those that are not well are asked whether they answer, so
        that a run without requests is found when it is back.
        """
        least = Doubt.GREAT
        now = asyncio.get_running_loop().time()
        for replica in replicas:
            health = replica.health
            if health.silent >= health.limit or health.aside_until:
                self._look_after(replica)
            if not health.aside_until:
                doubted = health.failures > 0 and health.silent >= health.limit
                least = min(least, Doubt(doubted or health.busy_until > now or _gives_no_answer(health, now)))
        return least

    def _best(self, replicas: Sequence[Replica], tried: tuple[Replica, ...]) -> Replica | None:
        """Return the replica with the fewest requests in flight, of those that are well. Equal ones take turns.

        One that has just said that it is busy comes after the others.
        """
        best, least = None, (True, sys.maxsize)
        now = asyncio.get_running_loop().time()
        self._turn += 1
        start = self._turn % len(replicas) if replicas else 0
        for replica in (*replicas[start:], *replicas[:start]):
            health = replica.health
            if health.silent >= health.limit or health.aside_until:
                self._look_after(replica)
            elif (rank := (health.busy_until > now, replica.in_flight)) < least and replica not in tried:
                best, least = replica, rank
        return best

    async def _wait_for_one(self, replicas: Sequence[Replica], tried: tuple[Replica, ...]) -> Replica:
        """Return the first replica that shows that it is well; after `_LONGEST_WAIT`, the most probable one.

        Raises `ServiceError` if there are no replicas, and after the wait if another run can have the request.
        """
        left = [replica for replica in replicas if replica not in tried]
        if not left:
            raise unavailable("no replica of this run is up; try again shortly")
        loop = asyncio.get_running_loop()
        since, asked = loop.time(), False
        try:
            async with asyncio.timeout_at(since + _LONGEST_WAIT):
                while any(replica.health.probe for replica in left):
                    asked = True
                    await left[0].health.news.wait()
                    replica = self._best(replicas, tried)
                    if replica is not None:
                        return replica
        except TimeoutError:
            pass
        finally:
            if asked:
                note_wait(loop.time() - since)
        if asked and others_can_answer():
            raise unavailable("no replica of this run answers; try again shortly")
        return min(left, key=partial(_doubts, loop.time()))

    def _look_after(self, replica: Replica) -> None:
        """Ask a replica that is not well whether it answers, unless it is too early. Requests do not wait for this."""
        health = replica.health
        if health.probe is None and health.aside_until <= asyncio.get_running_loop().time():
            health.probe = asyncio.create_task(self._probe(replica))
            health.probe_since = asyncio.get_running_loop().time()

    async def _probe(self, replica: Replica) -> None:
        try:
            await self._ask_whether_there(replica)
        finally:
            replica.health.probe = None
            replica.health.news.tell_all()


def _doubts(now: float, replica: Replica) -> tuple[float, int, bool, int, int]:
    """Return a sort key. A smaller one is better: until when it is put aside, its failures, whether it does not answer
    a question, its silent requests, its requests in flight."""
    health = replica.health
    return health.aside_until, health.failures, _gives_no_answer(health, now), health.silent, replica.in_flight


def _gives_no_answer(health: Health, now: float) -> bool:
    """Whether it does not answer a question."""
    return health.probe is not None and now - health.probe_since > _LONGEST_WAIT / 2
