"""Who is told by a stack's alarms, as the plan has it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class AlarmPlan:
    """Who is told, and how much the stack can spend. Exactly one of `email` and `topic` is set."""

    email: str | None = None
    """The address that gets a mail for each alarm, from a topic that the program creates."""
    topic: str | None = None
    """ARN of an existing SNS topic."""
    budget: float | None = None
    """US dollars a month; `None`: no alarm about spending."""
