"""Why Auto Scaling cannot start an instance: AWS's words to a cause, a remedy, and how long it may last."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_WRAPPING = re.compile(
    r"^Could not launch [A-Za-z-]+ Instances\. |\.? ?Launching EC2 instance failed\.?$"
    r"|\s*Encoded authorization failure message:? .*"  # which only AWS can read
)


@dataclass(frozen=True, kw_only=True)
class LaunchFailure:
    """A cause that the table knows, or AWS's own words."""

    what: str
    remedy: str | None
    patience: float | None
    """Seconds after which it is taken for permanent; `None`: never."""
    words: str
    """AWS's own, less what is always around them."""


def explain_launch_failure(message: str) -> LaunchFailure:
    """What a failed activity's message means. An unknown one is shown as it is, and waited out."""
    words = _WRAPPING.sub("", _WRAPPING.sub("", " ".join(message.split())))[:400]
    for pattern, known in _table():
        if pattern.search(message):
            return LaunchFailure(what=known.what, remedy=known.remedy, patience=known.patience, words=words)
    return LaunchFailure(what=words or "AWS gives no reason", remedy=None, patience=None, words=words)


@cache
def _table() -> tuple[tuple[re.Pattern[str], LaunchFailure], ...]:
    lines = Path(__file__).with_suffix(".csv").read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return tuple((re.compile(row["pattern"], re.IGNORECASE), _failure(row)) for row in rows)


def _failure(row: dict[str, str]) -> LaunchFailure:
    patience = float(row["patience"]) if row["patience"] else None
    return LaunchFailure(what=row["what"], remedy=row["remedy"], patience=patience, words="")
