"""An API key of a gateway, as it is planned."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """An API key, and what a caller with it may do."""

    name: str
    runs: tuple[str, ...] | None = None
    """Run names; `None`: all."""
    requests_per_minute: int | None = None
    """The most requests; `None`: any number."""
