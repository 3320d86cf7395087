"""The report: a table to paste into an issue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from commands.smoke.outcome import Outcome
from commands.smoke.target import Target


def report(target: Target, outcomes: Sequence[Outcome], *, at: datetime) -> str:
    """Return what was tested and the outcomes, in Markdown. No final newline."""
    counts = Counter(outcome.result for outcome in outcomes)
    summed = [f"{counts[result]} {result}" for result in ("ok", "short", "skipped", "FAILED") if counts[result]]
    rows = [("check", "result", "time", "note")]
    rows += [(one.check, one.result, f"{one.seconds:.2f} s", one.note.replace("|", "\\|")) for one in outcomes]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    table = [_row(row, widths) for row in rows]
    return "\n".join(
        [
            f"{target.url or target.openai_base_url}, {target.model or 'no model'}, {at:%Y-%m-%d %H:%M} UTC",
            "",
            table[0],
            "|" + "|".join("-" * (width + 2) for width in widths) + "|---|",
            *table[1:],
            "",
            f"{', '.join(summed)}.",
        ]
    )


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=False)]
    return f"| {' | '.join(padded)} | {cells[-1]} |"
