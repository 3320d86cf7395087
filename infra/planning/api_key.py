"""The API keys of a gateway, as the plan has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway_lambda.registry.record import person
from infra.configuration.keys import SHARED, KeyOptions


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """An API key, and what a caller with this key can do. `None` means no limit."""

    name: str
    runs: tuple[str, ...] | None = None
    """Names of the runs that the key opens; `None`: all runs."""
    expires: datetime | None = None
    """From when on the key is refused, in UTC; `None`: never."""
    requests_per_minute: int | None = None
    tokens_per_day: int | None = None
    """Tokens of prompts and answers, in a day in UTC."""
    max_concurrent: int | None = None


def planned_keys(keys: Mapping[str, KeyOptions]) -> tuple[ApiKey, ...]:
    """Return the keys. A limit that one key of a person has is the limit of all keys of that person."""
    limits: dict[str, dict[str, Any]] = {}
    for name, options in keys.items():
        given = {option: limit for option in SHARED if (limit := getattr(options, option)) is not None}
        limits.setdefault(person(name), {}).update(given)
    return tuple(
        ApiKey(name=name, runs=options.runs, expires=options.expires, **limits[person(name)])
        for name, options in keys.items()
    )
