"""An API key of a gateway, as the plan has it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """An API key, and what a caller with this key can do."""

    name: str
    runs: tuple[str, ...] | None = None
    """Names of the runs that the key opens; `None`: all runs."""
    requests_per_minute: int | None = None
    """The most requests per minute; `None`: no limit."""
