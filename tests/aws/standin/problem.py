"""What the stand-in refuses, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from commands.program_monitor import Refused


@dataclass(frozen=True)
class Problem:
    """One thing that the provider or AWS would not accept."""

    property: str
    """The property's path (`healthCheck.interval`, `actions[0].type`), or nothing for the resource as a whole."""
    reason: str
    """As the provider or AWS puts it, where that is known."""

    def __str__(self) -> str:
        return f"{self.property}: {self.reason}" if self.property else self.reason


class NotAccepted(Refused):
    """All that is wrong with one resource or one call."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, problems)))


def refuse(reason: str, property: str = "") -> NotAccepted:
    return NotAccepted([Problem(property, reason)])
