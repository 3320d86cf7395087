"""A few rows of the table that `python -m bench.faults` prints, with fewer streams: real processes that really fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.faults.asking import CUT, NO_END, read_end
from bench.faults.cases import CASES, run_case

STREAMS = 80
PAUSES = (2, 6, 14, 30, 60, 90)
"""Seconds after which a replica that fails gets one request again, each twice as long after the last, up to 30."""
ROWS = [
    ("killed", "tgi"),
    ("3 of 4 dead", "tgi"),
    ("dropped SYNs", "tgi"),
    ("reset, generations alone", "tgi"),
    ("garbage", "tgi"),
    ("closed, generations alone, later", "tgi"),
    ("hang, later", "tgi"),
    ("killed", "openai"),
    ("garbage", "openai"),
    ("broken half way, later", "openai"),
]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("name", "format"), ROWS)
def test_hardly_a_caller_hears_of_replicas_that_fail_and_none_is_left_without_an_end(
    tmp_path: Path, name: str, format: str
) -> None:
    (case,) = [case for case in CASES if case.name == name]
    row = run_case(case, format, tmp_path, streams=STREAMS, at_once=10, patience=5)
    trials = sum(pause < row.seconds for pause in PAUSES)
    counts = row.ends.counts
    assert (counts.total(), counts[CUT], counts[NO_END], row.repeated) == (STREAMS, 0, 0, 0)
    assert row.heard <= row.under_way + 5 + trials * case.failing


def test_the_table_tells_apart_how_streams_end() -> None:
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    half = head + b'data: {"choices":[{"delta":{"content":" t0"}}]}\n\n'
    error = b'{"error":{"code":"c"}}'
    assert [
        read_end(each)
        for each in (
            half + b"data: " + error + b"\n\n",
            b"HTTP/1.1 502 Bad\r\n\r\n" + error,
            half,
            half + b"data: [DONE]\n\n",
            b"",
        )
    ] == [("error event", "c"), ("refused", "c"), (CUT, ""), (CUT, ""), (CUT, "")]
