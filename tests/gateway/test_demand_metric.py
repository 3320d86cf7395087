"""A run that may have no replica is said to be asked for, where somebody looks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway_lambda.routing.demand_metric import event
from infra.components.scaling import NAMESPACE, REQUESTS
from tests.gateway.serving import Bench


def metrics(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def test_the_event_is_a_metric_of_cloudwatch_s_embedded_format() -> None:
    assert json.loads(event("gateway-table-1", "yellow-cat-1", 1_700_000_000.5)) == {
        "_aws": {
            "Timestamp": 1_700_000_000_500,
            "CloudWatchMetrics": [
                {
                    "Namespace": "servestack",
                    "Dimensions": [["Table", "Run"]],
                    "Metrics": [{"Name": "Requests", "Unit": "Count"}],
                }
            ],
        },
        "Table": "gateway-table-1",
        "Run": "yellow-cat-1",
        "Requests": 1,
    }


def test_it_is_the_metric_at_which_the_alarm_looks() -> None:
    written = json.loads(event("t", "r", 0))
    (described,) = written["_aws"]["CloudWatchMetrics"]
    assert (described["Namespace"], described["Metrics"][0]["Name"]) == (NAMESPACE, REQUESTS)


def test_requests_are_noted_by_path_and_by_model(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    bench.register({**bench.service(), "min_replicas": 0})
    bench.serve(registry="dynamodb:gateway-table-1")
    assert bench.post().status_code == 200
    assert bench.http.get(f"{bench.url}/services/run/health").status_code == 200
    assert [(one["Table"], one["Run"], one["Requests"]) for one in metrics(capfd.readouterr().out)] == [
        ("gateway-table-1", "run", 1),
        ("gateway-table-1", "run", 1),
    ]


def test_neither_a_list_of_models_nor_a_request_that_is_refused_asks_for_a_run(
    bench: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    bench.register({**bench.service(auth=True), "min_replicas": 0})
    bench.serve(registry="dynamodb:gateway-table-1")
    assert {bench.http.get(f"{bench.url}/v1/models").status_code, bench.post().status_code} == {401}
    assert metrics(capfd.readouterr().out) == []


@pytest.mark.parametrize(("least", "registry"), [(1, "dynamodb:gateway-table-1"), (0, "file:registry.json")])
def test_nothing_is_said_of_a_run_that_is_up_or_where_nobody_looks(
    bench: Bench, capfd: pytest.CaptureFixture[str], least: int, registry: str
) -> None:
    bench.register({**bench.service(), "min_replicas": least})
    bench.serve(registry=registry)
    assert bench.post().status_code == 200
    assert metrics(capfd.readouterr().out) == []
