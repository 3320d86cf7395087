"""A run that may have no replica is said to be asked for, where somebody looks."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from infra.components.scaling import ARRIVALS, NAMESPACE
from tests.gateway.scripted_tgi import Asked, Write, answer
from tests.gateway.serving import Bench


def written(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def arrivals(out: str) -> list[dict[str, Any]]:
    return [line for line in written(out) if ARRIVALS in line]


def serve(bench: Bench, least: int = 0, registry: str = "dynamodb:gateway-table-1", *, auth: bool = False) -> None:
    bench.register({**bench.service(auth=auth), "min_replicas": least})
    bench.serve(registry=registry)


def test_a_request_is_a_metric_of_cloudwatch_s_embedded_format(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    since = time.time()
    serve(bench)
    assert bench.post().status_code == 200
    (line,) = arrivals(capfd.readouterr().out)
    assert since * 1000 - 1 <= line["_aws"].pop("Timestamp") <= time.time() * 1000
    assert line == {
        "_aws": {
            "CloudWatchMetrics": [
                {
                    "Namespace": NAMESPACE,
                    "Dimensions": [["Table", "Run"]],
                    "Metrics": [{"Name": ARRIVALS, "Unit": "Count"}],
                }
            ]
        },
        "Table": "gateway-table-1",
        "Run": "run",
        "Arrivals": 1,
    }


def test_it_is_written_before_the_replica_is_asked_and_the_request_s_own_line_at_its_end(
    bench: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    before: list[dict[str, Any]] = []

    async def look(asked: Asked, write: Write) -> None:
        before.extend(written(capfd.readouterr().out))
        await answer("a")(asked, write)

    bench.tgi.usual = look
    serve(bench)
    assert bench.post().status_code == 200
    (line,) = written(capfd.readouterr().out)
    assert [[ARRIVALS in each, "Requests" in each] for each in [*before, line]] == [[True, False], [False, True]]


def test_requests_are_noted_by_path_and_by_model(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    serve(bench)
    assert bench.post().status_code == 200
    assert bench.http.get(f"{bench.url}/services/run/health").status_code == 200
    assert [(one["Table"], one["Run"], one[ARRIVALS]) for one in arrivals(capfd.readouterr().out)] == [
        ("gateway-table-1", "run", 1),
        ("gateway-table-1", "run", 1),
    ]


def test_neither_a_list_of_models_nor_a_request_that_is_refused_asks_for_a_run(
    bench: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    serve(bench, auth=True)
    assert {bench.http.get(f"{bench.url}/v1/models").status_code, bench.post().status_code} == {401}
    assert arrivals(capfd.readouterr().out) == []


@pytest.mark.parametrize(
    ("least", "registry", "lines"), [(1, "dynamodb:gateway-table-1", 1), (0, "file:registry.json", 0)]
)
def test_nothing_is_said_of_a_run_that_is_up_or_where_nobody_looks(
    bench: Bench, capfd: pytest.CaptureFixture[str], least: int, registry: str, lines: int
) -> None:
    serve(bench, least, registry)
    assert bench.post().status_code == 200
    out = capfd.readouterr().out
    assert (arrivals(out), len(written(out))) == ([], lines)
