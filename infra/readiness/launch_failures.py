"""Why Auto Scaling cannot start an instance: from AWS's message to a cause, a remedy, and how long to wait."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_WRAPPING = re.compile(
    r"^Could not launch [A-Za-z-]+ Instances\. "
    r"|^Instance became unhealthy while waiting for instance to be in InService state\. Termination Reason: "
    r"|\.? ?Launching EC2 instance failed\.?$"
    r"|\s*Encoded authorization failure message:? .*"  # only AWS can read it
)


@dataclass(frozen=True, kw_only=True)
class LaunchFailure:
    """A cause from the table, or AWS's own words."""

    what: str
    remedy: str | None
    patience: float | None
    """Seconds after which the failure counts as permanent; `None`: never."""
    words: str
    """AWS's own words, without the phrases that every message has."""

    @property
    def sentence(self) -> str:
        """The cause, and AWS's own words if they are others."""
        own = "" if self.words == self.what else f" (AWS: {self.words})"
        return f"no instance started: {self.what}{own}"


def explain_launch_failure(message: str) -> LaunchFailure:
    """Return what the message of a failed activity means. An unknown message is shown as it is and never permanent."""
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
