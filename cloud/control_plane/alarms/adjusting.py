"""How many instances a scaling policy wants.

Sources: the EC2 Auto Scaling user guide (step and simple scaling policies, target tracking scaling policies), and the
API reference's StepAdjustment. Sizes of the group bound the result elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any


def adjusted(kind: str | None, capacity: int, adjustment: int, least: int | None) -> int:
    """Return the capacity after an adjustment. `kind`: the adjustment type. `least`: MinAdjustmentMagnitude.

    Raises:
        ValueError: for another type.
    """
    if kind == "ExactCapacity":
        return adjustment
    if kind == "ChangeInCapacity":
        return capacity + adjustment
    if kind != "PercentChangeInCapacity":
        raise ValueError(f"the adjustment type {kind} is not known to this cloud")
    change = capacity * adjustment / 100
    # Between -1 and 1 it is one instance; else the fraction is dropped.
    whole = math.trunc(change) if abs(change) >= 1 else int(math.copysign(1, change)) if change else 0
    if least and abs(whole) < least and adjustment:
        whole = int(math.copysign(least, adjustment))
    return capacity + whole


def step(adjustments: Sequence[Mapping[str, Any]], breach: float) -> int | None:
    """Return the adjustment of the step that a breach falls into, if there is one. `breach`: value minus threshold."""
    for one in adjustments:
        lower, upper = (_bound(one, f"MetricInterval{side}Bound") for side in ("Lower", "Upper"))
        # At or above the threshold, a step has its lower bound and not its upper one; below, it is the other way round.
        if breach >= 0 and (lower is None or breach >= lower) and (upper is None or breach < upper):
            return int(one["ScalingAdjustment"])
        if breach < 0 and (lower is None or breach > lower) and (upper is None or breach <= upper):
            return int(one["ScalingAdjustment"])
    return None


def tracked(serving: int, value: float, target: float) -> int:
    """Return how many instances bring a metric to its target, if `serving` instances have brought it to `value`."""
    return math.ceil(round(serving * value / target, 6))


def _bound(adjustment: Mapping[str, Any], name: str) -> float | None:
    value = adjustment.get(name)
    return None if value is None else float(value)
