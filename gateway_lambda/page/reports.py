"""What the replicas of a run say of themselves, all together: from their state items to what the page shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from gateway_lambda.registry.table import StateItem

SERVING, LEAVING = "serving", "being replaced"
"""Two steps of the boot script (infra/planning/boot)."""
_QUIET = 15 * 60
"""Seconds after which a replica that starts and says nothing does not count. It says each part of its start, and writes
figures once a minute as soon as its container runs."""
_RECENT = 3 * 60
"""Seconds for which figures count. Each replica writes them once a minute."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What state items say of a run. The load balancer decides which replicas get requests, and has the last word."""

    starting: bool = False
    """A replica starts."""
    failed: bool = False
    """The newest replica has stopped for good."""
    step: str | None = None
    """What the replica that starts does; `None`: not known."""
    percent: int | None = None
    """How much of the step is done; `None`: not known."""
    problem: str | None = None
    """What failed last; `None`: nothing did."""
    ready: int = 0
    """Replicas that serve, by their own figures."""
    count: int = 0
    """Replicas that start or serve."""
    requests_per_second: float | None = None
    """Of all replicas, over the last minute; `None`: none of them says it."""
    tokens_per_second: float | None = None
    """The same of generated tokens."""


def report(items: Sequence[StateItem], now: float) -> Report:
    """Return what the state items of a run say. `now`: seconds since 1970."""
    newest = max(items, key=_last, default=None)
    if newest is None:
        return Report()
    starting = [item for item in items if _starts(item) and now - _last(item) < _QUIET]
    serving = [item for item in items if _serves(item) and now - _last(item) < _RECENT]
    recent = [item for item in items if now - item.figures_at < _RECENT]
    # Of several that start, always the same one is shown, one without a problem first.
    shown = min(starting, key=lambda item: (item.cause is not None, item.instance), default=None)
    failed = max((item for item in items if item.cause is not None), key=lambda item: item.at, default=None)
    return Report(
        starting=bool(starting),
        failed=newest.final,
        step=shown.step if shown is not None and shown.step not in (SERVING, LEAVING) else None,
        percent=None if shown is None or shown.percent is None else int(shown.percent),
        problem=None if failed is None else failed.cause,
        ready=len(serving),
        count=len(serving) + len(starting),
        requests_per_second=_added(item.requests_per_second for item in recent),
        tokens_per_second=_added(item.tokens_per_second for item in recent),
    )


def _last(item: StateItem) -> float:
    return max(item.at, item.figures_at)


def _serves(item: StateItem) -> bool:
    return item.step == SERVING and item.cause is None


def _starts(item: StateItem) -> bool:
    """Whether it starts, starts again, or is replaced by one that will."""
    return bool(item.step) and not item.final and not _serves(item)


def _added(rates: Iterable[float | None]) -> float | None:
    known = [rate for rate in rates if rate is not None]
    return sum(known) if known else None
