"""The query of `make usage`, and that it counts as the files of `make local` are counted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.usage.local_lines import grouped, percentile, read_lines
from commands.usage.query import LONGEST, QueryTooLong, query_text, read_rows
from commands.usage.requests import GROUPS, By
from tests.commands.insights import results
from tests.commands.request_lines import request_line

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
FIGURES = st.fixed_dictionaries(
    {"Duration": st.integers(0, 900_000), "Errors": st.integers(0, 1)},
    optional={
        "Run": st.sampled_from(["cat", "cat-2", "dog"]),
        "key": st.sampled_from(["alice", "bob"]),
        "model": st.sampled_from(["acme/cat", "acme/dog"]),
        "PromptTokens": st.integers(0, 10_000),
        "CompletionTokens": st.integers(0, 10_000),
        "TimeToFirstToken": st.integers(1, 900_000),
    },
)


def test_the_query_of_keys_has_a_column_for_the_durations_of_each_run() -> None:
    assert query_text("key", ["cat", "red-dog-1"]) == (
        "filter ispresent(request_id) and ispresent(Requests)"
        ' | fields concat("/", Run, "/") as marked'
        " | stats sum(Requests) as requests, sum(Errors) as errors, sum(PromptTokens) as prompt_tokens, "
        "sum(CompletionTokens) as completion_tokens, pct(TimeToFirstToken, 50) as ttft_p50, "
        "pct(TimeToFirstToken, 95) as ttft_p95, "
        'sum(Duration * strcontains(marked, "/cat/")) as of_0, '
        'sum(Duration * strcontains(marked, "/red-dog-1/")) as of_1 by key'
        " | sort requests desc | limit 10000"
    )


def test_a_gateway_has_room_for_a_hundred_runs_with_generated_names() -> None:
    assert len(query_text("key", [f"cheery-squirrel-{number}" for number in range(100)])) <= LONGEST


def test_a_query_that_is_too_long_names_what_works() -> None:
    with pytest.raises(QueryTooLong) as refused:
        query_text("model", [f"{number:063}" for number in range(100)])
    assert str(refused.value) == (
        "the gateway has 100 runs, too many to share their costs in one query: use --by run or --by day"
    )


@given(st.lists(st.tuples(st.integers(0, 3 * 86_400), FIGURES), max_size=30), st.sampled_from(GROUPS))
def test_files_and_the_query_give_the_same_figures(made: list[tuple[int, dict[str, Any]]], by: By) -> None:
    lines = [request_line(NOON - timedelta(seconds=seconds), **figures) for seconds, figures in made]
    runs = ["cat", "dog", "cat-2"]
    asked = read_rows(results(query_text(by, runs), lines), by, runs)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "requests"
        file.write_text("".join(f"{text}\n" for _, text in lines))
        read = read_lines([file], NOON - timedelta(days=4))
    told = {one.name: replace(one, durations={}) for one in asked}
    assert told == {one.name: one for one in grouped(read.lines, by)}


@given(st.lists(FIGURES, max_size=30))
def test_the_durations_of_a_key_are_those_of_its_requests_to_each_run(made: list[dict[str, Any]]) -> None:
    lines = [request_line(NOON, **figures) for figures in made]
    runs = ["cat", "dog", "cat-2"]
    expected: dict[str | None, dict[str, float]] = {figures.get("key"): {} for figures in made}
    for figures in made:
        if "Run" in figures and figures["Duration"]:
            durations = expected[figures.get("key")]
            durations[figures["Run"]] = durations.get(figures["Run"], 0) + figures["Duration"]
    asked = read_rows(results(query_text("key", runs), lines), "key", runs)
    assert {one.name: one.durations for one in asked} == expected


@pytest.mark.parametrize(
    ("values", "percent", "found"),
    [([], 50, None), ([7], 95, 7), ([4, 1, 3, 2], 50, 2), (list(range(1, 101)), 95, 95), (list(range(1, 22)), 95, 20)],
)
def test_a_percentile_is_a_value_that_was_measured(values: list[float], percent: float, found: float | None) -> None:
    assert percentile(values, percent) == found
