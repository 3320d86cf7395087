"""The outcome of a check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Result = Literal["ok", "FAILED", "short", "skipped"]
"""`short`: nothing went wrong, but the check ended before it could show anything."""

Say = Callable[[str], None]


class CheckFailed(Exception):
    """The service does not do what it should. `str()` is the note."""


class CheckSkipped(Exception):
    """The check does not apply to this service. `str()` is the note."""


class CheckShort(Exception):
    """The check ended too early to show anything. `str()` is the note."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One line of the report."""

    check: str
    result: Result
    seconds: float
    note: str
