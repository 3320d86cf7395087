"""A service that scales: the program's own policies and alarms, minute by minute."""

from __future__ import annotations

from collections.abc import Callable

from tests.cloud.alarms.service import Service

Deploy = Callable[..., Service]
WEB = "type: service\nimage: nginx\nport: 80\nresources: {gpu: 24GB}\n"
SCALED = f"{WEB}replicas: 1..3\nscaling: {{metric: rps, target: 2.5, scale_up_delay: 2m, scale_down_delay: 5m}}\n"


def test_replicas_follow_the_load_up_and_down(service: Deploy) -> None:
    one = service(SCALED)
    one.minutes(3)
    one.load = 400
    one.minutes(12)
    busy = one.alarms()
    one.load = 0
    one.minutes(25)
    print(one.history, busy, one.causes())
    print([(a["AlarmName"], a["StateValue"], a["StateReason"]) for a in one.cloudwatch.describe_alarms()["MetricAlarms"]])
    print([(i["LifecycleState"], i["HealthStatus"]) for i in one.group()["Instances"]], one.group()["DesiredCapacity"])
