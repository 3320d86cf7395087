"""Ends a run with a table of what was skipped and why (a pytest plugin)."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable

import pytest

from tests.support.requirements import VARIABLE, insisted_on


def pytest_configure() -> None:
    insisted_on(os.environ)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = terminalreporter.stats.get("skipped", [])
    terminalreporter.section("skipped")
    if not reports:
        terminalreporter.write_line("nothing")
        return
    for line in table(reason_of(report) for report in reports):
        terminalreporter.write_line(line)
    terminalreporter.write_line(f"Make such skips failures with {VARIABLE}=name,…")


def reason_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    """The words a test was skipped with, without pytest's own `Skipped: `."""
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return reason.removeprefix("Skipped: ")


def table(reasons: Iterable[str]) -> list[str]:
    """One line a reason: what was missing, how many tests wanted it, why it is not there."""
    rows = [("needs", "tests", "why skipped")]
    for reason, count in sorted(Counter(reasons).items()):
        name, colon, why = reason.partition(": ")
        rows.append((name if colon else "-", str(count), why if colon else reason))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return [f"{name:<{widths[0]}}  {count:>{widths[1]}}  {why}" for name, count, why in rows]
