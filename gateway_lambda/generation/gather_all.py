"""Running the calls of one request at the same time. If one fails, all end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, TypeVar

from gateway_lambda.errors import ServiceError

_Result = TypeVar("_Result")


_MOMENT = 0.25
"""Seconds. Calls to a server that is not there fail within them."""


async def gather_all(calls: list[Coroutine[Any, Any, _Result]]) -> list[_Result]:
    """Return the results of the calls, in order. The first error cancels the other calls and is raised.

    Another server may be asked after the error of one call. After that of several, it may only be asked if each of them
    fails with such an error within a moment. Otherwise a server may have begun to answer one of them.
    """
    if len(calls) == 1:
        return [await calls[0]]
    refused = _Refused(len(calls))
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(refused.watch(call)) for call in calls]
    except BaseExceptionGroup as failed:
        error = failed.exceptions[0]
        raise (error.final() if isinstance(error, ServiceError) and not refused.all else error) from None
    return [task.result() for task in tasks]


class _Refused:
    """Whether no server has begun with any of several calls."""

    def __init__(self, left: int) -> None:
        self._left = left
        self._everyone = asyncio.Event()

    @property
    def all(self) -> bool:
        return not self._left

    async def watch(self, call: Coroutine[Any, Any, _Result]) -> _Result:
        try:
            return await call
        except ServiceError as error:
            if error.another:
                self._left -= 1
                if self.all:
                    self._everyone.set()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_MOMENT):
                        await self._everyone.wait()
            raise
