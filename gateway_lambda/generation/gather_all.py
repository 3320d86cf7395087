"""Running the calls of one request at the same time. If one fails, all end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")


async def gather_all(calls: list[Coroutine[Any, Any, _Result]]) -> list[_Result]:
    """Return the results of the calls, in order. The first error cancels the other calls and is raised."""
    if len(calls) == 1:
        return [await calls[0]]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]
