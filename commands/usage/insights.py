"""One query of CloudWatch Logs Insights: started, waited for, and stopped when nobody waits any more."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.preflight.aws_errors import aws_failures
from infra.readiness import Clock

POLL = 0.5
"""Seconds between two questions whether the query has ended. AWS allows an account 5 to 10 a second, depending on the
region (AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html)."""
DOLLARS_PER_GB = 0.005
"""List price of what a query reads, in us-east-1 (aws.amazon.com/cloudwatch/pricing, 2026-05)."""
GB = 1e9
_GOING = ("Scheduled", "Running", "Unknown")


class QueryFailed(Exception):
    """CloudWatch did not finish the query. `str()` says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The rows of a query, and what it read."""

    rows: Sequence[Sequence[Mapping[str, Any]]]
    """Each row is a sequence of cells with `field` and `value`."""
    bytes_scanned: float


def ask(
    logs: Any, log_group: str, text: str, begin: int, end: int, clock: Clock, progress: Callable[[int], None]
) -> Answer:
    """Return the answer to a query over the lines of a log group.

    Args:
        logs: boto3's `logs`.
        log_group: its name.
        text: the query.
        begin: seconds since 1970 of the first line.
        end: seconds since 1970 of the last line.
        clock: what to wait by.
        progress: is called with the number of lines that CloudWatch has read so far.

    Raises:
        QueryFailed: the query did not end well.
        Exception: what boto3 raises.
    """
    query = logs.start_query(logGroupName=log_group, startTime=begin, endTime=end, queryString=text)["queryId"]
    try:
        while (found := logs.get_query_results(queryId=query))["status"] in _GOING:
            progress(int(found.get("statistics", {}).get("recordsScanned", 0)))
            clock.sleep(POLL)
    except BaseException:
        # CloudWatch bills what it goes on to read.
        with contextlib.suppress(*aws_failures()):
            logs.stop_query(queryId=query)
        raise
    if found["status"] != "Complete":
        raise QueryFailed(
            f"CloudWatch ended the query with the status {found['status']}: try again, or ask for a shorter time with "
            "ARGS='--since 1d'"
        )
    return Answer(rows=found["results"], bytes_scanned=found.get("statistics", {}).get("bytesScanned", 0))


def scan_text(scanned: float) -> str:
    """Return what a query read, and what that costs."""
    size = f"{scanned / GB:,.1f} GB" if scanned >= GB else f"{scanned / 1e6:,.1f} MB"
    dollars = scanned / GB * DOLLARS_PER_GB
    price = f"${dollars:,.4f}" if dollars >= 0.0001 else "less than $0.0001"
    return f"CloudWatch read {size} for this query. At list price this costs {price}."
