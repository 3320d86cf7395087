"""The state of an alarm, and its reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cloud.control_plane.alarms.states import Judged, Rule, judge

RULE = Rule(comparison="GreaterThanThreshold", threshold=0.5, periods=3, to_alarm=3, missing="missing")
END = 1_764_424_800


def values(drawn: str) -> list[tuple[float, float | None]]:
    """`0 X - X`: within, breaching, missing; the oldest first."""
    meaning = {"0": 0.0, "X": 1.0, "-": None}
    drawn_values = [meaning[one] for one in reversed(drawn.split())]
    return [(END - 60.0 * age, value) for age, value in enumerate(drawn_values, 1)]


@pytest.mark.parametrize(
    ("drawn", "missing", "ignore", "breaching", "not_breaching"),
    [
        # The table for 3 of 3 in "Configuring how CloudWatch alarms treat missing data"; * keeps the state.
        ("0 - X - X", "OK", "OK", "OK", "OK"),
        ("0 X X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
        ("- - - - 0", "OK", "OK", "OK", "OK"),
        ("- - - - -", "INSUFFICIENT_DATA", "*", "ALARM", "OK"),
        ("- - X - -", "ALARM", "*", "ALARM", "OK"),
        ("X X X X X", "ALARM", "ALARM", "ALARM", "ALARM"),
        ("X X X X 0", "OK", "OK", "OK", "OK"),
    ],
)
def test_missing_periods_count_as_the_alarm_says(
    drawn: str, missing: str, ignore: str, breaching: str, not_breaching: str
) -> None:
    expected = {"missing": missing, "ignore": ignore, "breaching": breaching, "notBreaching": not_breaching}
    for before in ("OK", "ALARM"):
        got = {how: judge(replace(RULE, missing=how), values(drawn), before).state for how in expected}
        assert got == {how: before if state == "*" else state for how, state in expected.items()}


@pytest.mark.parametrize(
    ("drawn", "state"), [("0 0 X 0 X", "ALARM"), ("X X 0 0 X", "OK"), ("- - - X -", "OK"), ("- - X - X", "ALARM")]
)
def test_fewer_than_all_periods_can_be_enough(drawn: str, state: str) -> None:
    rule = replace(RULE, to_alarm=2, missing="notBreaching")
    assert judge(rule, values(drawn), "OK").state == state


@pytest.mark.parametrize(
    ("comparison", "threshold", "state"),
    [
        ("GreaterThanThreshold", 1, "OK"),
        ("GreaterThanOrEqualToThreshold", 1, "ALARM"),
        ("LessThanThreshold", 1, "OK"),
        ("LessThanOrEqualToThreshold", 1, "ALARM"),
    ],
)
def test_the_threshold_belongs_to_the_comparisons_that_say_so(comparison: str, threshold: float, state: str) -> None:
    rule = replace(RULE, comparison=comparison, threshold=threshold)
    assert judge(rule, values("X X X"), "OK").state == state


def test_the_reason_is_worded_as_on_aws() -> None:
    one = replace(RULE, periods=1, to_alarm=1, comparison="GreaterThanOrEqualToThreshold", missing="notBreaching")
    two = replace(RULE, periods=2, to_alarm=2, missing="notBreaching")
    assert judge(one, values("0 0 X"), "OK") == Judged(
        state="ALARM",
        reason="Threshold Crossed: 1 datapoint [1.0 (29/11/25 13:59:00)] was greater than or equal to the threshold "
        "(0.5) (minimum 1 datapoint for OK -> ALARM transition).",
        points=((END - 60.0, 1.0),),
    )
    assert judge(two, values("X X"), "OK").reason == (
        "Threshold Crossed: 2 out of the last 2 datapoints [1.0 (29/11/25 13:59:00), 1.0 (29/11/25 13:58:00)] were "
        "greater than the threshold (0.5) (minimum 2 datapoints for OK -> ALARM transition)."
    )
    assert judge(two, values("- - 0 -"), "ALARM").reason == (
        "Threshold Crossed: 1 out of the last 2 datapoints [0.0 (29/11/25 13:58:00)] was not greater than the "
        "threshold (0.5) and 1 missing datapoint was treated as [NonBreaching] (minimum 2 datapoints for ALARM -> OK "
        "transition)."
    )
    assert judge(two, values("- - - -"), "ALARM").reason == (
        "Threshold Crossed: no datapoints were received for 2 periods and 2 missing datapoints were treated as "
        "[NonBreaching]."
    )
    assert judge(RULE, values("- - -"), "OK").reason == "Insufficient Data: no datapoints were received for 3 periods."
