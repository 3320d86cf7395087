"""Metrics in lines of a log."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloud.control_plane.alarms.embedded import Malformed, Written, metrics_of


def line(directives: Any, **members: Any) -> str:
    return json.dumps({"_aws": {"Timestamp": 1_764_424_800_123, "CloudWatchMetrics": directives}, **members})


def test_a_line_has_each_metric_under_each_set_of_dimensions() -> None:
    metrics = [{"Name": "Requests", "Unit": "Count"}, {"Name": "Duration", "Unit": "Milliseconds"}, {"Name": "Plain"}]
    directive = {"Namespace": "servestack", "Dimensions": [["Table"], ["Table", "Run"], []], "Metrics": metrics}
    got = metrics_of(line([directive], Table="t", Run="r", Requests=1, Duration=[2.5, 3], Plain=0, status=200))
    sets: list[tuple[tuple[str, str], ...]] = [(("Table", "t"),), (("Table", "t"), ("Run", "r")), ()]
    assert got == [
        Written(
            namespace="servestack", name=name, unit=unit, dimensions=named, values=values, timestamp=1_764_424_800.123
        )
        for named in sets
        for name, unit, values in (
            ("Requests", "Count", (1.0,)),
            ("Duration", "Milliseconds", (2.5, 3.0)),
            ("Plain", None, (0.0,)),
        )
    ]


@pytest.mark.parametrize(
    "message",
    [
        "plain words",
        '{"level": "info"}',
        '{"_aws": 1}',
        '{"_aws": {"Timestamp": 1}}',
        'not JSON with "_aws"',
        '["_aws"]',
    ],
)
def test_other_lines_have_no_metrics(message: str) -> None:
    assert metrics_of(message) == []


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"Table": "t"}, "the metric N has to be a number of the line, or at most 100 numbers"),
        ({"Table": "t", "N": "1"}, "the metric N has to be a number of the line, or at most 100 numbers"),
        ({"Table": "t", "N": True}, "the metric N has to be a number of the line, or at most 100 numbers"),
        ({"Table": "t", "N": [1] * 101}, "the metric N has to be a number of the line, or at most 100 numbers"),
        ({"Table": 5, "N": 1}, "the dimension Table has to be a string of the line"),
        ({"N": 1}, "the dimension Table has to be a string of the line"),
    ],
)
def test_a_line_that_breaks_a_rule_has_no_metrics_at_all(members: dict[str, Any], problem: str) -> None:
    directive = {"Namespace": "n", "Dimensions": [["Table"]], "Metrics": [{"Name": "N"}]}
    with pytest.raises(Malformed) as refused:
        metrics_of(line([directive], **members))
    assert str(refused.value) == problem
