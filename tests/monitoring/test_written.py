"""Every metric that a dashboard or an alarm reads is one that a real line declares, by the same dimensions.

The gateway answers a stream and a request for a run that can have no replica. A machine boots, and writes its figures.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pytest

from infra.planning.alarms import gateway_alarms, service_alarms
from infra.planning.dashboard import gateway_widgets, service_widgets
from infra.planning.metrics import ARRIVALS, MODEL_METRICS, NAMESPACE, REPLICA_METRICS, REQUEST_METRICS
from infra.planning.widgets import body
from tests.boot import test_figures as figures
from tests.boot.machine import Machine
from tests.gateway.serving import Bench
from tests.monitoring.test_alarms import EMAIL, SLEEPS, TGI
from tests.monitoring.test_dashboard import NAMES
from tests.preflight.plans import gateway_plan, service_plan

Series = tuple[str, frozenset[str]]
"""A metric and its dimensions."""
EVENT = 26
"""Bytes that CloudWatch counts for each event besides its text (API: PutLogEvents)."""
OF_LAMBDA = 350
"""Bytes of Lambda's own lines of a request: START, END and REPORT (lambda/latest/dg/monitoring-cloudwatchlogs.html)."""
OF_ACCESS = 430
"""Bytes of the API's access log entry (`infra/components/api.py`), with an address, a host and a path."""


def declared(lines: Iterable[Mapping[str, Any]]) -> set[Series]:
    """What lines in CloudWatch's embedded metric format declare, and also have."""
    found: set[Series] = set()
    for line in lines:
        for directive in line["_aws"]["CloudWatchMetrics"]:
            assert directive["Namespace"] == NAMESPACE
            for metric in directive["Metrics"]:
                assert isinstance(line[metric["Name"]], int | float)
                found |= {(metric["Name"], frozenset(names)) for names in directive["Dimensions"]}
    return found


def read() -> set[Series]:
    """What the dashboards and the alarms read of the namespace."""
    services = [service_plan(text, **EMAIL, budget=1) for text in (TGI, TGI + SLEEPS)]
    gateway = gateway_plan(**EMAIL, budget=1)
    found: set[Series] = set()
    for widgets in (gateway_widgets(gateway), *map(service_widgets, services)):
        found |= set(_of_dashboard(json.loads(body(widgets, names=NAMES, region="us-east-1"))))
    alarms = [*gateway_alarms(gateway), *(alarm for plan in services for alarm in service_alarms(plan))]
    metrics = [metric for alarm in alarms for metric in alarm.metrics if metric.namespace == NAMESPACE]
    return found | {(metric.name, frozenset(metric.dimensions)) for metric in metrics}


def _of_dashboard(read: Mapping[str, Any]) -> Iterator[Series]:
    for widget in read["widgets"]:
        for *names, options in widget["properties"]["metrics"]:
            if names and names[0] == NAMESPACE:
                yield names[1], frozenset(names[2::2])
            for schema, name in re.findall(r"\{(servestack[^}]*)\} MetricName=\"(\w+)\"", str(options)):
                yield name, frozenset(schema.split(",")[1:])


@pytest.fixture
def of_requests(bench: Bench, capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The lines of a stream of a run that can have no replica, and of a request for a model that no run has."""
    bench.register({**bench.service(auth=False), "min_replicas": 0})
    bench.serve(registry="dynamodb:gateway-table-1")
    assert bench.post(stream=True).status_code == 200
    assert bench.post(model="unknown").status_code == 404
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


@pytest.fixture
def of_replicas(machine: Callable[..., Machine]) -> list[dict[str, Any]]:
    boot = figures.of_server(machine, "vLLM")
    boot.answer("figures-nvidia-smi", f"printf '{figures.L4}'")
    figures.write(boot, figures.NOW)
    return figures.lines(boot)


def test_the_dashboards_and_the_alarms_read_what_real_lines_declare(
    of_requests: list[dict[str, Any]], of_replicas: list[dict[str, Any]]
) -> None:
    written = declared([*of_requests, *of_replicas])
    assert sorted(name for name, _ in read() - written) == []


def test_the_lists_of_metrics_are_those_of_real_lines(
    of_requests: list[dict[str, Any]], of_replicas: list[dict[str, Any]]
) -> None:
    """`make plan` counts them."""
    gateway, run = frozenset({"Table"}), frozenset({"Table", "Run"})
    names = (*REQUEST_METRICS, *MODEL_METRICS)
    assert declared(of_requests) == {
        *((name, dimensions) for name in names for dimensions in (gateway, run)),
        (ARRIVALS, run),
    }
    assert declared(of_replicas) == {(name, run) for name in REPLICA_METRICS}


def test_logs_have_the_size_that_the_plan_says(
    of_requests: list[dict[str, Any]], of_replicas: list[dict[str, Any]]
) -> None:
    """A million requests write about 1.5 GB, and a replica 0.02 GB a month, which has 43,800 minutes."""
    (of_stream,) = [len(_text(line)) + EVENT for line in of_requests if "TimeToFirstToken" in line]
    assert round((of_stream + OF_LAMBDA + OF_ACCESS) / 1000, 1) in (1.4, 1.5, 1.6)
    of_month = (len(_text(of_replicas[0])) + EVENT) * 43_800
    assert f"{of_month / 1e9:.2f}" == "0.02"


def _text(line: Mapping[str, Any]) -> str:
    return json.dumps(line, separators=(",", ":"))
