"""The answer to a question, in one line for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "refusal"]
_MARKS: dict[Level, str] = {"ok": "ok", "warning": "WARNING", "refusal": "REFUSED"}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One answer. A refusal means that deploying would fail, or could never serve."""

    level: Level
    topic: str
    """What was asked about, in a word or two: `credentials`, `GPU quota`."""
    message: str
    """What was found. A warning and a refusal also say the rule and the remedy."""


def ok(topic: str, message: str) -> Finding:
    """Nothing to do."""
    return Finding(level="ok", topic=topic, message=message)


def warning(topic: str, message: str) -> Finding:
    """Deploying continues, but the user should know this."""
    return Finding(level="warning", topic=topic, message=message)


def refusal(topic: str, message: str) -> Finding:
    """Deploying ends here."""
    return Finding(level="refusal", topic=topic, message=message)


def report(findings: Sequence[Finding]) -> str:
    """Return a line for each finding, refusals last, because that is where people look."""
    order: tuple[Level, ...] = ("ok", "warning", "refusal")
    width = max((len(finding.topic) for finding in findings), default=0)
    return "\n".join(
        f"{_MARKS[level]:<7}  {finding.topic:<{width}}  {finding.message}"
        for level in order
        for finding in findings
        if finding.level == level
    )


def refuses(findings: Sequence[Finding]) -> bool:
    """Whether nothing may be created."""
    return any(finding.level == "refusal" for finding in findings)
