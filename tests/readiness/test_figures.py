"""The figures that a replica writes into its state item, as plain data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from infra.readiness.figures import Figures, read_figures
from infra.readiness.looking import Looker
from infra.readiness.seen import State
from tests.readiness.cloud import AWAITED, Cloud

WHOLE = {
    "Table": "registry",
    "Run": "yellow-cat-1",
    "instance": "i-1",
    "type": "g6.xlarge",
    "GpuUse": 87,
    "GpuMemory": 91.4,
    "DiskUse": 43,
    "Running": 12,
    "Waiting": 3,
    "gpu_temperature": 61,
    "gpu_power": 71.52,
    "requests_per_second": 0.4,
    "tokens_per_second": 812.5,
}
READ = Figures(
    at=1_700_000_000,
    type="g6.xlarge",
    gpu_use=87,
    gpu_memory=91.4,
    gpu_temperature=61,
    gpu_power=71.52,
    disk_use=43,
    running=12,
    waiting=3,
    requests_per_second=0.4,
    tokens_per_second=812.5,
)


def test_a_look_has_the_figures_of_each_replica() -> None:
    cloud = Cloud()
    named = {"pk": {"S": "state#yellow-cat-1"}, "step": {"S": "serving"}, "final": {"BOOL": False}}
    cloud.states = {"i-1": {**named, "sk": {"S": "i-1"}, **item(WHOLE)}, "i-2": {**named, "sk": {"S": "i-2"}}}
    state = State(instance="i-1", step="serving", percent=None, cause=None, final=False, figures=READ)
    other = State(instance="i-2", step="serving", percent=None, cause=None, final=False)
    assert Looker(AWAITED, cloud.clients()).look().states == (state, other)


def test_what_a_replica_does_not_say_is_none() -> None:
    assert read_figures(item({"DiskUse": 43})) == Figures(at=1_700_000_000, disk_use=43)
    odd = {**WHOLE, "type": 4, "GpuUse": None, "Running": True, "Waiting": [3], "DiskUse": "full", "GpuMemory": 1e999}
    left = Figures(
        at=1_700_000_000, gpu_temperature=61, gpu_power=71.52, requests_per_second=0.4, tokens_per_second=812.5
    )
    assert read_figures(item(odd)) == left


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"figures": {"S": "{}"}},
        {"figures_at": {"N": "1700000000"}},
        {"figures": {"S": "[1]"}, "figures_at": {"N": "1700000000"}},
        {"figures": {"S": '{"GpuUse": 8'}, "figures_at": {"N": "1700000000"}},
        {"figures": {"S": "[" * 100_000}, "figures_at": {"N": "1700000000"}},
        {"figures": {"N": "5"}, "figures_at": {"N": "1700000000"}},
        {"figures": {"S": "{}"}, "figures_at": {"N": "now"}},
        {"figures": {"S": "{}"}, "figures_at": {"S": "1700000000"}},
    ],
)
def test_figures_that_are_broken_are_none(broken: dict[str, Any]) -> None:
    assert read_figures(broken) is None


def item(figures: Mapping[str, object]) -> dict[str, Any]:
    return {"figures": {"S": json.dumps(figures)}, "figures_at": {"N": "1700000000"}}
