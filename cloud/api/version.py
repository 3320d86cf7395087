"""A function as it is now: its instances, and which of them gets an event."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from cloud.api.instance import FunctionFailed, Instance, Surroundings
from cloud.api.log_lines import LogLines
from cloud.api.metrics import Metrics
from cloud.api.runtime_api import Invocation
from cloud.api.task_root import WrongPackages

_AT_ONCE = max(2, os.cpu_count() or 2)
"""Instances that start at the same time: more would only make each other slower."""


class Throttled(Exception):
    """The function answers as many events as it can have at once."""


class Version:
    """Starts an instance for each event that finds none idle."""

    def __init__(
        self,
        function: Mapping[str, Any],
        *,
        laid_out: Callable[[Mapping[str, Any]], Awaitable[Path]],
        around: Surroundings,
        lines: LogLines,
        metrics: Metrics,
        most: int,
    ) -> None:
        """`laid_out` returns the folder with the function's code."""
        self.function = function
        self._laid_out = laid_out
        self._around = around
        self._lines = lines
        self._metrics = metrics
        limit = function.get("concurrency")
        self._most = most if limit is None else min(most, int(limit))
        self._instances: set[Instance] = set()
        self._idle: list[Instance] = []
        self._waiting: deque[asyncio.Future[Instance]] = deque()
        self._starting = 0
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._answering = 0
        self._retired = False

    @property
    def is_over(self) -> bool:
        """Whether none of its instances runs."""
        return not self._instances and not self._tasks

    async def invoke(self, event: bytes) -> Invocation:
        """Give an event to an instance. Raises `Throttled` and `FunctionFailed`."""
        if self._answering >= self._most:
            self._count("Throttles", 1)
            raise Throttled
        self._answering += 1
        self._count("Invocations", 1)
        self._count("ConcurrentExecutions", self._answering)
        try:
            # The instance that was used last gets the event, so that the others can end.
            instance = self._idle.pop() if self._idle else await self._first_idle()
        except BaseException:
            self._answering -= 1
            raise
        invocation = Invocation(event, seconds=self.function["timeout"], function=self.function["arn"])
        instance.hand(invocation)
        return invocation

    async def end_idle(self, before: float = float("inf")) -> None:
        """End the instances that have been idle since that time."""
        old = [instance for instance in self._idle if instance.since < before]
        self._idle = [instance for instance in self._idle if instance not in old]
        await asyncio.gather(*(self._end(instance) for instance in old))

    async def retire(self) -> None:
        """Take no more events, and end each instance once it is idle."""
        self._retired = True
        await self.end_idle()

    async def kill(self) -> None:
        """End every instance, also one that has a request."""
        self._retired = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(self._end(instance) for instance in list(self._instances)))

    def is_idle(self, instance: Instance) -> None:
        """Give it the event that has waited the longest, if one waits."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(instance)
                return
        if self._retired:
            self._go(self._end(instance))
        else:
            self._idle.append(instance)

    def has_ended(self, instance: Instance, reason: str) -> None:
        """Forget an instance. If it was never ready, the event that has waited the longest fails."""
        if instance in self._idle:
            self._idle.remove(instance)
        elif not instance.was_ready:
            self._fail(reason)
        self._go(self._end(instance))

    def has_answered(self, seconds: float, *, failed: bool) -> None:
        """Count an event."""
        self._answering -= 1
        self._count("Errors", int(failed))
        self._count("Duration", seconds * 1000, unit="Milliseconds")

    def says(self, stream: str, line: str) -> None:
        """Log a line."""
        self._lines.add((self.function["region"], self.function["log_group"], stream), line)

    async def _first_idle(self) -> Instance:
        """Return the first instance that becomes idle, a new one or another."""
        waiting: asyncio.Future[Instance] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        self._go(self._start())
        try:
            return await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled() and waiting.exception() is None:
                self.is_idle(waiting.result())
            raise

    async def _start(self) -> None:
        async with self._turns:
            if self._starting >= sum(not waiting.done() for waiting in self._waiting):
                return
            self._starting += 1
            try:
                folder = await self._laid_out(self.function)
                instance = Instance(self.function, folder, self._around, self)
                self._instances.add(instance)
                await instance.start()
                await instance.initialized.wait()
            except (WrongPackages, OSError) as problem:
                self._fail(str(problem))
            finally:
                self._starting -= 1

    def _fail(self, reason: str) -> None:
        """Let the event fail that has waited the longest."""
        self._count("Errors", 1)
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_exception(FunctionFailed(reason))
                return

    async def _end(self, instance: Instance) -> None:
        await instance.end()
        self._instances.discard(instance)

    def _count(self, name: str, value: float, unit: str = "Count") -> None:
        names = {"FunctionName": self.function["name"]}
        self._metrics.add(self.function["region"], "AWS/Lambda", name, value, unit=unit, dimensions=names)

    def _go(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
