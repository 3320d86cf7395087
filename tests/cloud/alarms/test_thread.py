"""The alarms of a control plane that runs by itself."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

from tests.cloud.control_plane.conftest import end, start


def test_alarms_are_evaluated_each_of_awss_minutes(tmp_path: Path) -> None:
    running = start(tmp_path, "--speed", "120")
    try:
        cloudwatch = running.client("cloudwatch")
        cloudwatch.put_metric_alarm(
            AlarmName="much",
            Namespace="mine",
            MetricName="Much",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=3,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="notBreaching",
        )
        seen: list[str] = []
        until = time.monotonic() + 100
        while seen[-1:] != ["ALARM"] and time.monotonic() < until:
            datum = {"MetricName": "Much", "Value": 5, "Timestamp": datetime.now(UTC)}
            if "OK" in seen:
                cloudwatch.put_metric_data(Namespace="mine", MetricData=[datum])
            state = cloudwatch.describe_alarms(AlarmNames=["much"])["MetricAlarms"][0]["StateValue"]
            if state not in seen:
                seen.append(state)
            time.sleep(0.05)
    finally:
        end(running)
    assert seen[-2:] == ["OK", "ALARM"]
    assert running.log.read_text() == ""
