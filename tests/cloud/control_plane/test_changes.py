"""Data planes hear of changes, and of nothing else."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from tests.cloud.control_plane.conftest import Running


def test_a_change_ends_the_wait_of_a_data_plane(plane: Running) -> None:
    sns = plane.client("sns")
    before = plane.cloud.version_after(0)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(_changed, plane, before)
        topic = sns.create_topic(Name="topic")["TopicArn"]
        assert waiting.result() > before
    sns.delete_topic(TopicArn=topic)


def _changed(plane: Running, before: int) -> int:
    """The first version after this one, or this one after a minute. A wait without a change ends after 5 seconds."""
    waits = (plane.cloud.version_after(before) for _ in range(12))
    return next((version for version in waits if version != before), before)


def test_what_changes_no_resource_is_no_change(plane: Running) -> None:
    logs, metrics, dynamodb = plane.client("logs"), plane.client("cloudwatch"), plane.client("dynamodb")
    logs.create_log_group(logGroupName="group")
    logs.create_log_stream(logGroupName="group", logStreamName="stream")
    before = plane.cloud.version_after(0)
    events = [{"timestamp": int(time.time() * 1000), "message": "m"}]
    logs.put_log_events(logGroupName="group", logStreamName="stream", logEvents=events)
    metrics.put_metric_data(Namespace="N", MetricData=[{"MetricName": "m", "Value": 1.0}])
    dynamodb.list_tables()
    plane.client("ec2").describe_instances()
    assert plane.cloud.version_after(0) == before
    logs.delete_log_group(logGroupName="group")
    assert plane.cloud.version_after(before) == before + 1
