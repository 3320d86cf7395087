"""The metrics of CloudWatch that dashboards show and alarms read.

The gateway and the replicas write log lines in CloudWatch's embedded metric format, which become the metrics of the
namespace `servestack`. All other metrics are AWS's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

NAMESPACE = "servestack"
REQUEST_METRICS = ("Requests", "Errors", "Duration")
"""What the gateway writes for each request, by `Table` and by `Table` and `Run`. `Duration` is in milliseconds."""
MODEL_METRICS = ("PromptTokens", "CompletionTokens", "TimeToFirstToken", "TokensPerSecond")
"""What it writes in addition for requests of a model. `TimeToFirstToken` is in milliseconds."""
REPLICA_METRICS = ("GpuUse", "GpuMemory", "DiskUse", "Running", "Waiting")
"""What each replica writes once a minute, by `Table` and `Run`. The first three are percentages."""
ARRIVALS = "Arrivals"
"""What the gateway writes when a request for a run begins that can have no replica, by `Table` and `Run`."""

MINUTE = 60
Names = Mapping[str, str]
"""The names of deployed resources, by what they are: `table`, `run`, `group` (`group_1`, … of the other groups of
replicas), `balancer`, `target_group`, `function`, `api`, `stage`. `Metric.dimensions` refers to these keys."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One statistic of a metric."""

    id: str
    """The name in expressions: it begins with a lower-case letter."""
    namespace: str
    name: str
    dimensions: Mapping[str, str]
    """Each dimension, with the key of its value in `Names`."""
    stat: str
    label: str = ""
    """What a graph calls it; empty: it is only part of an expression."""


def of_gateway(id: str, name: str, stat: str, label: str = "") -> Metric:
    """Return a metric of all requests of a gateway."""
    return Metric(id=id, namespace=NAMESPACE, name=name, dimensions={"Table": "table"}, stat=stat, label=label)


def of_run(id: str, name: str, stat: str, label: str = "") -> Metric:
    """Return a metric of the requests or of the replicas of a run."""
    dimensions = {"Table": "table", "Run": "run"}
    return Metric(id=id, namespace=NAMESPACE, name=name, dimensions=dimensions, stat=stat, label=label)


def group_key(number: int) -> str:
    """Return the key in `Names` of a service's Auto Scaling group. Numbers count from 0."""
    return f"group_{number}" if number else "group"


def of_group(id: str, name: str, stat: str, label: str = "", *, number: int = 0) -> Metric:
    """Return a metric of an Auto Scaling group, which has one value a minute. The id of a second one has its number."""
    dimensions = {"AutoScalingGroupName": group_key(number)}
    id = f"{id}_{number}" if number else id
    return Metric(id=id, namespace="AWS/AutoScaling", name=name, dimensions=dimensions, stat=stat, label=label)


def of_targets(id: str, name: str, stat: str, label: str = "") -> Metric:
    """Return a metric that the load balancer has of a run's replicas."""
    dimensions = {"LoadBalancer": "balancer", "TargetGroup": "target_group"}
    return Metric(id=id, namespace="AWS/ApplicationELB", name=name, dimensions=dimensions, stat=stat, label=label)


def of_function(id: str, name: str, stat: str, label: str = "") -> Metric:
    """Return a metric of the gateway's function."""
    dimensions = {"FunctionName": "function"}
    return Metric(id=id, namespace="AWS/Lambda", name=name, dimensions=dimensions, stat=stat, label=label)


def of_api(id: str, name: str, stat: str, label: str = "") -> Metric:
    """Return a metric of the gateway's API."""
    dimensions = {"ApiName": "api", "Stage": "stage"}
    return Metric(id=id, namespace="AWS/ApiGateway", name=name, dimensions=dimensions, stat=stat, label=label)


def of_table(id: str, name: str, stat: str, label: str = "") -> Metric:
    """Return a metric of the gateway's table."""
    dimensions = {"TableName": "table"}
    return Metric(id=id, namespace="AWS/DynamoDB", name=name, dimensions=dimensions, stat=stat, label=label)
