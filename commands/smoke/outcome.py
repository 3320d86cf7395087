"""What came of a check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Result = Literal["ok", "FAILED", "short", "skipped"]
"""`short`: nothing went wrong, and it ended before it could show what it was for."""

Say = Callable[[str], None]


class CheckFailed(Exception):
    """The service does not do what the check is for; `str()` is the note."""


class CheckSkipped(Exception):
    """The check says nothing about this service; `str()` is the note."""


class CheckShort(Exception):
    """The check ended too early to say anything; `str()` is the note."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One line of the report."""

    check: str
    result: Result
    seconds: float
    note: str
