"""The figures of requests in groups: by run, by key, by model or by day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

By = Literal["run", "key", "model", "day"]
GROUPS: tuple[By, ...] = get_args(By)


@dataclass(frozen=True, kw_only=True)
class Requests:
    """What the request lines of one group say."""

    name: str | None
    """The run, key or model; the day in UTC as `2026-11-29`. `None`: the lines of this group have none."""
    requests: int
    errors: int
    prompt_tokens: int | None
    """`None`: no line says it."""
    completion_tokens: int | None
    ttft_p50: float | None
    """The median of the times to the first token, in milliseconds; `None`: no answer was streamed."""
    ttft_p95: float | None
    """The 95th percentile of the same."""
    durations: Mapping[str, float]
    """Run -> the sum of the durations of its requests in this group, in milliseconds."""
