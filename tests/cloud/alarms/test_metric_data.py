"""What CloudWatch answers about metrics."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud.alarms.service import Service
from tests.cloud.alarms.test_scaling import SCALED

Deploy = Callable[..., Service]


def test_a_metric_has_only_the_data_of_exactly_its_dimensions(service: Deploy) -> None:
    one = service(SCALED)
    one.logs({"Duration": [10, 20, 30, 40]})
    one.cloudwatch.put_metric_data(
        Namespace="servestack",
        MetricData=[
            {
                "MetricName": "Duration",
                "Timestamp": one.stamp(),
                "Dimensions": _named(Table=one.name, Run="other"),
                "StatisticValues": {"Sum": 100, "Minimum": 20, "Maximum": 80, "SampleCount": 2},
            }
        ],
    )

    def asked(**dimensions: str) -> list[dict[str, Any]]:
        found = one.cloudwatch.get_metric_statistics(
            Namespace="servestack",
            MetricName="Duration",
            Dimensions=_named(**dimensions),
            StartTime=one.stamp() - timedelta(hours=1),
            EndTime=one.stamp() + timedelta(hours=1),
            Period=7200,
            Statistics=["Sum", "SampleCount", "Minimum", "Maximum", "Average"],
        )
        for point in found["Datapoints"]:
            del point["Timestamp"]
        return found["Datapoints"]

    of_run = [{"Sum": 100.0, "SampleCount": 4.0, "Minimum": 10.0, "Maximum": 40.0, "Average": 25.0, "Unit": "None"}]
    assert asked(Table=one.name) == asked(Table=one.name, Run="run") == of_run
    assert asked(Table=one.name, Run="other") == [
        {"Sum": 100.0, "SampleCount": 2.0, "Minimum": 20.0, "Maximum": 80.0, "Average": 50.0, "Unit": "None"}
    ]
    assert asked(Run="run") == []


def test_metric_data_has_percentiles_and_expressions(service: Deploy) -> None:
    one = service(SCALED)
    one.logs({"Duration": list(range(1, 101))})
    start = one.stamp().replace(second=0, microsecond=0)

    def measured(id: str, stat: str, **more: Any) -> dict[str, Any]:
        metric = {"Namespace": "servestack", "MetricName": "Duration", "Dimensions": _named(Table=one.name)}
        return {"Id": id, "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}, **more}

    answer = one.cloudwatch.get_metric_data(
        StartTime=start - timedelta(minutes=1),
        EndTime=start + timedelta(minutes=2),
        ScanBy="TimestampAscending",
        MetricDataQueries=[
            measured("median", "p50"),
            measured("slow", "p99.9"),
            measured("sum", "Sum", ReturnData=False),
            {"Id": "each", "Expression": "FILL(sum, 0) / PERIOD(sum)", "Label": "a second"},
            {"Id": "until", "Expression": "RUNNING_SUM(FILL(sum, 1))"},
        ],
    )
    got = [(one["Id"], one["Label"], one["Values"]) for one in answer["MetricDataResults"]]
    assert got == [
        ("median", "Duration", [50.0]),
        ("slow", "Duration", [100.0]),
        ("each", "a second", [0.0, 5050 / 60, 0.0]),
        ("until", "until", [1.0, 5051.0, 5052.0]),
    ]
    assert answer["MetricDataResults"][0]["Timestamps"] == [start]


def test_an_expression_that_is_not_known_is_refused_by_name(service: Deploy) -> None:
    one = service(SCALED)
    with pytest.raises(ClientError) as refused:
        one.cloudwatch.get_metric_data(
            StartTime=one.stamp() - timedelta(minutes=1),
            EndTime=one.stamp(),
            MetricDataQueries=[{"Id": "found", "Expression": "SEARCH(1)"}],
        )
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    assert refused.value.response["Error"]["Message"] == (
        "Error in expression 'found': SEARCH with 1 arguments is not known to this cloud"
    )


def test_a_group_has_the_metrics_that_are_enabled_and_no_others(service: Deploy) -> None:
    one = service(SCALED)
    one.minutes(3)
    metrics = one.cloudwatch.list_metrics(
        Namespace="AWS/AutoScaling", Dimensions=_named(AutoScalingGroupName=one.name)
    )["Metrics"]
    assert sorted(metric["MetricName"] for metric in metrics) == [
        "GroupDesiredCapacity",
        "GroupInServiceInstances",
        "GroupPendingInstances",
    ]


def _named(**dimensions: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in dimensions.items()]
