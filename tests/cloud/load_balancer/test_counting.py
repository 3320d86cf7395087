"""What CloudWatch is told of a minute."""

from __future__ import annotations

from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx

from tests.cloud.load_balancer.played import group, played, said, target
from tests.support.ports import held_port

OF_BALANCER = {"LoadBalancer": "app/gateway/50dc6c495c0c9188"}
OF_TARGETS = OF_BALANCER | {"TargetGroup": "targetgroup/run/73e2d6bc24d8a067"}
OF_GROUP = {"TargetGroup": "targetgroup/run/73e2d6bc24d8a067"}
START = 1_764_424_800.0


def test_a_minute_is_counted_as_aws_counts_it() -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        said(handler, "", status=int(handler.path[1:]))

    with held_port() as nobody, target(answer) as port, played(group(port, nobody)) as one:
        one.until(**{f"i_{port}": "healthy", f"i_{nobody}": "unhealthy"})
        one.call(lambda: one.playing.minute(START))
        with httpx.Client(
            base_url=f"http://127.0.0.1:{one.port}", headers={"Host": "run.internal"}, timeout=100
        ) as client:
            for status in (200, 200, 404, 500):
                client.get(f"/{status}")
            client.get("/", headers={"Host": "other"})
            counted = one.call(lambda: one.playing.minute(START))
        one.update(group())
        httpx.get(f"http://127.0.0.1:{one.port}/", headers={"Host": "run.internal"}, timeout=100)
        one.wait_for(lambda: not one.playing._runner.server.connections)
        without = one.call(lambda: one.playing.minute(START))
    stamps = {datum["Timestamp"] for datum in counted}
    assert stamps == {datetime.fromtimestamp(START, UTC)}
    assert _plain(counted) == _both(
        RequestCount=4, HTTPCode_Target_2XX_Count=2, HTTPCode_Target_4XX_Count=1, HTTPCode_Target_5XX_Count=1
    ) | {
        ("HTTP_Fixed_Response_Count", *OF_BALANCER.items()): ("Count", 1),
        ("TargetResponseTime", *OF_BALANCER.items()): ("Seconds", [4]),
        ("TargetResponseTime", *OF_TARGETS.items()): ("Seconds", [4]),
        ("HealthyHostCount", *OF_TARGETS.items()): ("Count", {1: 1}),
        ("UnHealthyHostCount", *OF_TARGETS.items()): ("Count", {1: 1}),
        ("RequestCountPerTarget", *OF_TARGETS.items()): ("Count", 4),
        ("RequestCountPerTarget", *OF_GROUP.items()): ("Count", 4),
        ("ActiveConnectionCount", *OF_BALANCER.items()): ("Count", 1),
    }
    assert _plain(without) == {
        ("HTTPCode_ELB_5XX_Count", *OF_BALANCER.items()): ("Count", 1),
        ("HTTPCode_ELB_503_Count", *OF_BALANCER.items()): ("Count", 1),
    }


def test_a_minute_without_requests_has_only_the_health_of_targets() -> None:
    with target(lambda handler: said(handler, "")) as port, played(group(port)) as one:
        one.until(**{f"i_{port}": "healthy"})
        counted = one.call(lambda: one.playing.minute(START))
    assert _plain(counted) == {
        ("HealthyHostCount", *OF_TARGETS.items()): ("Count", {1: 1}),
        ("UnHealthyHostCount", *OF_TARGETS.items()): ("Count", {0: 1}),
    }


def test_a_refused_connection_is_counted() -> None:
    with held_port() as nobody, played(group(nobody)) as one:
        httpx.get(f"http://127.0.0.1:{one.port}/", headers={"Host": "run.internal"}, timeout=100)
        counted = _plain(one.call(lambda: one.playing.minute(START)))
    failed = {name: value for name, value in counted.items() if "Error" in name[0] or "ELB" in name[0]}
    assert failed == _both(TargetConnectionErrorCount=1) | {
        ("HTTPCode_ELB_5XX_Count", *OF_BALANCER.items()): ("Count", 1),
        ("HTTPCode_ELB_502_Count", *OF_BALANCER.items()): ("Count", 1),
    }


def _both(**counts: int) -> dict[Any, Any]:
    return {
        (name, *dimensions.items()): ("Count", count)
        for name, count in counts.items()
        for dimensions in (OF_BALANCER, OF_TARGETS)
    }


def _plain(data: list[dict[str, Any]]) -> dict[Any, Any]:
    """Values by name and dimensions; of times only how many there are."""
    found: dict[Any, Any] = {}
    for datum in data:
        key = (datum["MetricName"], *((one["Name"], one["Value"]) for one in datum["Dimensions"]))
        value: Any = datum.get("Value")
        if value is None:
            value = dict(zip(datum["Values"], datum["Counts"], strict=True))
        if datum["Unit"] == "Seconds":
            assert all(0 < time < 100 for time in value)
            value = [sum(value.values())]
        found[key] = (datum["Unit"], value)
    return found
