"""How long a request waits for a replica. The code that waits does not know the request: the task's context has it."""

from __future__ import annotations

from contextvars import ContextVar

from gateway_lambda.server.recorded import Recorded

CURRENT: ContextVar[Recorded | None] = ContextVar("the request that is being answered")


def others_can_answer() -> bool:
    """Whether another run can have the current request."""
    recorded = CURRENT.get(None)
    return recorded is not None and recorded.others


def note_wait(seconds: float) -> None:
    """Note that the current request waited for a replica. Of several waits at the same time, the longest counts."""
    recorded = CURRENT.get(None)
    if recorded is not None:
        recorded.held = max(recorded.held, seconds)
