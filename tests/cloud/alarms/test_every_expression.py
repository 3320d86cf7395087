"""Every expression that the program makes is one that this cloud can compute."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloud.control_plane.alarms.expressions import names, parse
from cloud.control_plane.alarms.functions import TimeSeries, compute
from tests.aws.recording import Recording
from tests.components.deploying import Account

GATEWAY = "type: gateway\nbackend: aws\nregion: us-east-1\ndomain: example.com\n"
SERVICE = (
    "type: service\nimage: vllm/vllm-openai\nport: 8000\nmodel: some/model\nresources: {gpu: 24GB}\n"
    "replicas: 0..3\nscaling: {metric: rps, target: 2.5}\n"
)
TOLD = {"alarm_email": "ops@example.com", "budget": 100}
GRID = (0.0, 60.0)


@pytest.mark.parametrize("stack", ["gateway", "run"])
def test_alarms_and_dashboards_have_values(stack: str, tmp_path: Path) -> None:
    account = Account(tmp_path)
    if stack == "run":
        account = account.with_gateway(GATEWAY)
    text = GATEWAY if stack == "gateway" else SERVICE
    recorded = account.up(stack, {"configuration": account.written("serve.yml", text), **TOLD})
    lost = [
        expression
        for expression in [*_of_alarms(recorded), *_of_dashboards(recorded)]
        if not isinstance(_computed(expression), TimeSeries)
    ]
    assert lost == []
    assert len(_of_alarms(recorded)) == {"gateway": 2, "run": 6}[stack]


def _computed(expression: str) -> object:
    tree = parse(expression)
    return compute(tree, {name: TimeSeries({0.0: 5.0, 60.0: 0.0}, 60) for name in names(tree)}, GRID)


def _of_alarms(recorded: Recording) -> list[str]:
    queries = [
        query for one in recorded.of("aws:cloudwatch/metricAlarm:MetricAlarm") for query in one.inputs["metricQueries"]
    ]
    return [query["expression"] for query in queries if "expression" in query]


def _of_dashboards(recorded: Recording) -> list[str]:
    """Those of graphs. A search finds metrics by their names, which an alarm cannot do."""
    bodies: list[Any] = [
        json.loads(one.inputs["dashboardBody"]) for one in recorded.of("aws:cloudwatch/dashboard:Dashboard")
    ]
    rows = [row for body in bodies for widget in body["widgets"] for row in widget["properties"].get("metrics", [])]
    found = [row[0]["expression"] for row in rows if isinstance(row[0], dict) and "expression" in row[0]]
    return [expression for expression in found if "SEARCH" not in expression]
