"""How many instances a policy wants."""

from __future__ import annotations

import pytest

from cloud.control_plane.alarms.adjusting import adjusted, step, tracked


@pytest.mark.parametrize(
    ("kind", "capacity", "adjustment", "least", "wanted"),
    [
        ("ExactCapacity", 3, 1, None, 1),
        ("ChangeInCapacity", 3, -1, None, 2),
        ("ChangeInCapacity", 3, 2, None, 5),
        ("PercentChangeInCapacity", 10, 25, None, 12),
        ("PercentChangeInCapacity", 10, -25, None, 8),
        ("PercentChangeInCapacity", 3, 10, None, 4),
        ("PercentChangeInCapacity", 3, -10, None, 2),
        ("PercentChangeInCapacity", 10, 25, 4, 14),
        ("PercentChangeInCapacity", 0, 50, None, 0),
    ],
)
def test_an_adjustment_is_rounded_as_on_aws(
    kind: str, capacity: int, adjustment: int, least: int | None, wanted: int
) -> None:
    assert adjusted(kind, capacity, adjustment, least) == wanted


def test_an_unknown_type_is_an_error() -> None:
    with pytest.raises(ValueError, match="the adjustment type Doubling is not known to this cloud"):
        adjusted("Doubling", 1, 1, None)


STEPS = [
    {"MetricIntervalUpperBound": "-10", "ScalingAdjustment": -2},
    {"MetricIntervalLowerBound": "-10", "MetricIntervalUpperBound": "0", "ScalingAdjustment": -1},
    {"MetricIntervalLowerBound": "0", "MetricIntervalUpperBound": "10", "ScalingAdjustment": 1},
    {"MetricIntervalLowerBound": "10", "ScalingAdjustment": 3},
]


@pytest.mark.parametrize(
    ("breach", "adjustment"), [(-11, -2), (-10, -2), (-9, -1), (-0.5, -1), (0, 1), (0.5, 1), (9, 1), (10, 3), (99, 3)]
)
def test_a_breach_falls_into_one_step(breach: float, adjustment: int) -> None:
    assert step(STEPS, breach) == adjustment


def test_a_breach_can_fall_into_no_step() -> None:
    assert step([{"MetricIntervalLowerBound": "5", "ScalingAdjustment": 1}], 4) is None


@pytest.mark.parametrize(
    ("serving", "value", "target", "wanted"),
    [(1, 150, 150, 1), (1, 151, 150, 2), (2, 300, 150, 4), (3, 50, 150, 1), (3, 0.3 / 3 * 3, 0.3, 3)],
)
def test_a_target_is_met_with_as_few_instances_as_possible(
    serving: int, value: float, target: float, wanted: int
) -> None:
    assert tracked(serving, value, target) == wanted
