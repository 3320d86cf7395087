"""Metric math, as alarms and dashboards have it."""

from __future__ import annotations

import pytest

from cloud.control_plane.alarms.expressions import NotUnderstood, parse
from cloud.control_plane.alarms.functions import TimeSeries, compute

GRID = (0.0, 60.0, 120.0, 180.0)


def series(*values: float | None) -> TimeSeries:
    """Values of the grid; `None`: there is none."""
    return TimeSeries({start: value for start, value in zip(GRID, values, strict=True) if value is not None}, 60)


KNOWN = {
    "a": series(1, 2, None, 4),
    "b": series(2, 0, 3, None),
    "none": series(None, None, None, None),
    "ten": 10.0,
}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a + b", series(3, 2, None, None)),
        ("a - b * 2", series(-3, 2, None, None)),
        ("a / b", series(0.5, None, None, None)),
        ("-a ^ 2", series(-1, -4, None, -16)),
        ("(a + 1) * ten", series(20, 30, None, 50)),
        ("2 ^ 3 ^ 2", 512.0),
        ("1.5e1 + .5", 15.5),
        ("a > 1", series(0, 1, None, 1)),
        ("a >= 2 AND b < 1", series(0, 1, None, None)),
        ("a == 1 || b == 0", series(1, 1, None, None)),
        ("1 < 2 && 2 != 2 OR 3 <= 3", 1.0),
        ("FILL(a, 0)", series(1, 2, 0, 4)),
        ("FILL(none, 7)", series(7, 7, 7, 7)),
        ("FILL(b, REPEAT)", series(2, 0, 3, 3)),
        ("FILL(none, REPEAT)", series(None, None, None, None)),
        ("FILL(a, b)", series(1, 2, 3, 4)),
        ("IF(b > 0, a, 100)", series(1, 100, None, None)),
        ("IF(FILL(b, 1) > 0, FILL(a, 0), -1)", series(1, -1, 0, 4)),
        ("IF(ten > 5, a, b)", series(1, 2, None, 4)),
        ("a / PERIOD(a)", series(1 / 60, 2 / 60, None, 4 / 60)),
        ("RUNNING_SUM(a)", series(1, 3, None, 7)),
        ("CEIL(a / 3) + FLOOR(a / 3) + ABS(-1)", series(2, 2, None, 4)),
        ("1 / 0", TimeSeries({}, 0)),
    ],
)
def test_an_expression_is_computed_for_each_period(expression: str, expected: object) -> None:
    assert compute(parse(expression), KNOWN, GRID) == expected


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("a +", "'a +' ends too early"),
        ("a b", "'a b': 'b' does not belong there"),
        ("(a", "'(a': ')' is missing"),
        ("a % b", "'a % b': this cloud does not read '% b'"),
        ("c", "no query has the id c"),
        ("ANOMALY_DETECTION_BAND(a)", "ANOMALY_DETECTION_BAND with 1 arguments is not known to this cloud"),
        ("FILL(a)", "FILL needs a time series and what to fill it with"),
        ("PERIOD(5)", "PERIOD needs a time series"),
    ],
)
def test_what_is_not_understood_is_an_error_that_names_it(expression: str, problem: str) -> None:
    with pytest.raises(NotUnderstood) as refused:
        compute(parse(expression), KNOWN, GRID)
    assert str(refused.value) == problem
