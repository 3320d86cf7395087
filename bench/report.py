"""The table of a run, its targets, and its JSON."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

Row = Mapping[str, float]
"""A value a contender."""


@dataclass(frozen=True)
class Measure:
    """A row of the table."""

    key: str
    title: str
    unit: str
    factor: float
    """From seconds or bytes to the unit."""
    digits: int


@dataclass(frozen=True)
class Target:
    """A condition that a run must satisfy."""

    title: str
    value: float
    at_most: float
    unit: str = ""

    @property
    def met(self) -> bool:
        return self.value <= self.at_most


MEASURES: Final = (
    Measure("plain_cpu", "CPU a plain request", "ms", 1e3, 3),
    Measure("embeddings_cpu", "CPU a request for 256 embeddings", "ms", 1e3, 3),
    Measure("token_cpu_64", "CPU a token, streams of 64", "µs", 1e6, 1),
    Measure("token_cpu_1024", "CPU a token, streams of 1,024", "µs", 1e6, 1),
    Measure("paced_token_cpu", "CPU a token, one each 20 ms", "µs", 1e6, 1),
    Measure("first_token_p50", "added time to first token, p50", "ms", 1e3, 2),
    Measure("first_token_p99", "added time to first token, p99", "ms", 1e3, 2),
    Measure("rate_8", "requests a second, 8 at once", "/s", 1, 0),
    Measure("rate_64", "requests a second, 64 at once", "/s", 1, 0),
    Measure("memory", "resident memory", "MB", 1e-6, 1),
    Measure("memory_after_crowd", "resident memory after 500 streams at once", "MB", 1e-6, 1),
    Measure("start", "from start to first answer", "s", 1, 2),
    Measure("cold_start", "cold start to first byte, behind the web adapter", "s", 1, 2),
    Measure("import_cpu", "CPU of importing the application", "s", 1, 2),
)
"""In the table's order."""


def medians(samples: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return each contender's median over the rounds."""
    return {name: statistics.median(values) for name, values in samples.items()}


def table(rows: Mapping[str, Row], names: Sequence[str], against: str = "gateway") -> str:
    """Return a table with a row for each measure and a column for each contender. In brackets: how many times the
    gateway's value it is."""
    lines = [["", *names]]
    for measure in MEASURES:
        row = rows.get(measure.key)
        if row is None:
            continue
        lines.append([f"{measure.title}, {measure.unit}", *(_cell(row, name, against, measure) for name in names)])
    return _aligned(lines)


def target_table(targets: Sequence[Target]) -> str:
    """Return a table with a row for each target."""
    lines = [["target", "measured", "at most", ""]]
    for target in targets:
        value, limit = (f"{number:.3g} {target.unit}".rstrip() for number in (target.value, target.at_most))
        lines.append([target.title, value, limit, "met" if target.met else "NOT MET"])
    return _aligned(lines)


def as_json(
    rows: Mapping[str, Row], targets: Sequence[Target], samples: Mapping[str, object], machine: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the whole run as JSON, in seconds and bytes."""
    return {
        "machine": dict(machine),
        "measures": {key: dict(row) for key, row in rows.items()},
        "targets": [{**asdict(target), "met": target.met} for target in targets],
        "samples": dict(samples),
    }


def _cell(row: Row, name: str, against: str, measure: Measure) -> str:
    if name not in row:
        return "–"
    text = f"{row[name] * measure.factor:,.{measure.digits}f}"
    base = row.get(against, 0.0)
    return text if name == against or base <= 0 else f"{text} ({row[name] / base:.2g}×)"


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        ).rstrip()
        for line in lines
    )
