"""The query of CloudWatch Logs Insights over a gateway's request lines, and what its answer means.

The commands and functions are in AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html. Insights knows the members of a
line that is JSON by their names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from commands.usage.requests import By, Requests

MOST_ROWS = 10_000
"""The most rows of one answer (AmazonCloudWatchLogs/latest/APIReference/API_GetQueryResults.html)."""
LONGEST = 10_000
"""The most characters of a query (AmazonCloudWatchLogs/latest/APIReference/API_StartQuery.html)."""
_FIELDS: Mapping[By, str] = {"run": "Run", "key": "key", "model": "model", "day": "bin(1d)"}
"""What the lines are grouped by. `bin(1d)` is the day of a line in UTC."""


class QueryTooLong(Exception):
    """The gateway has too many runs for one query. `str()` says what to do."""


def query_text(by: By, runs: Sequence[str]) -> str:
    """Return the query.

    Args:
        by: what a row is of.
        runs: runs whose durations are summed in each row. An Insights query has one grouping, and percentiles of groups
            do not add up, so each run is a column.

    Raises:
        QueryTooLong: AWS takes no query of this length.
    """
    durations = [f', sum(Duration * strcontains(marked, "/{run}/")) as of_{index}' for index, run in enumerate(runs)]
    text = (
        "filter ispresent(request_id) and ispresent(Requests)"
        ' | fields concat("/", Run, "/") as marked'
        " | stats sum(Requests) as requests, sum(Errors) as errors"
        ", sum(PromptTokens) as prompt_tokens, sum(CompletionTokens) as completion_tokens"
        ", pct(TimeToFirstToken, 50) as ttft_p50, pct(TimeToFirstToken, 95) as ttft_p95"
        f"{''.join(durations)} by {_FIELDS[by]}"
        f" | sort requests desc | limit {MOST_ROWS}"
    )
    if len(text) > LONGEST:
        raise QueryTooLong(
            f"the gateway has {len(runs)} runs, too many to share their costs in one query: use --by run or --by day"
        )
    return text


def read_rows(rows: Sequence[Sequence[Mapping[str, Any]]], by: By, runs: Sequence[str]) -> tuple[Requests, ...]:
    """Return the groups of an answer to `query_text(by, runs)`."""
    return tuple(_row({cell["field"]: cell["value"] for cell in row}, by, runs) for row in rows)


def _row(row: Mapping[str, str], by: By, runs: Sequence[str]) -> Requests:
    name = row.get(_FIELDS[by]) or None
    durations = {run: _number(row, f"of_{index}") or 0 for index, run in enumerate(runs)}
    return Requests(
        name=name[:10] if name is not None and by == "day" else name,
        requests=_whole(row, "requests") or 0,
        errors=_whole(row, "errors") or 0,
        prompt_tokens=_whole(row, "prompt_tokens"),
        completion_tokens=_whole(row, "completion_tokens"),
        ttft_p50=_number(row, "ttft_p50"),
        ttft_p95=_number(row, "ttft_p95"),
        durations={run: duration for run, duration in durations.items() if duration},
    )


def _number(row: Mapping[str, str], name: str) -> float | None:
    text = row.get(name)
    return float(text) if text else None


def _whole(row: Mapping[str, str], name: str) -> int | None:
    number = _number(row, name)
    return None if number is None else round(number)
