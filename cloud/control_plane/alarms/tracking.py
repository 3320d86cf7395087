"""The two alarms that AWS makes for a target tracking policy.

Source: the EC2 Auto Scaling user guide, target tracking scaling policies. Three minutes above the target add instances;
fifteen minutes well below it remove one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from moto.autoscaling.exceptions import ValidationError

from cloud.control_plane.alarms import regions

HIGH, LOW = 3, 15
"""Minutes."""
BELOW = 0.9
"""Of the target: where scaling in begins."""
MINUTE = 60
_MADE_BY_AWS = "DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {}."


@dataclass(frozen=True)
class _Metric:
    namespace: str
    name: str
    dimensions: Mapping[str, str]
    stat: str


def make_alarms(policy: Any) -> None:
    """Make the alarms of a policy, and note them in it.

    Raises:
        ValidationError: the policy tracks a metric that this cloud does not have.
    """
    configuration = configured(policy)
    metric, target = _metric(policy, configuration), float(configuration["TargetValue"])
    backend = regions.cloudwatch_beside(policy.autoscaling_backend)
    made: list[Mapping[str, str]] = []
    for side, comparison, threshold, periods in (
        ("AlarmHigh", "GreaterThanThreshold", target, HIGH),
        ("AlarmLow", "LessThanThreshold", target * BELOW, LOW),
    ):
        alarm = backend.put_metric_alarm(
            name=f"TargetTracking-{policy.auto_scaling_group_name}-{side}-{uuid4()}",
            namespace=metric.namespace,
            metric_name=metric.name,
            comparison_operator=comparison,
            evaluation_periods=periods,
            period=MINUTE,
            threshold=threshold,
            statistic=metric.stat,
            description=_MADE_BY_AWS.format(policy.arn),
            dimensions=[{"Name": name, "Value": value} for name, value in metric.dimensions.items()],
            alarm_actions=[policy.arn],
        )
        made.append({"AlarmName": alarm.name, "AlarmARN": alarm.alarm_arn})
    policy.alarms = made


def delete_alarms(policy: Any) -> None:
    """Delete the alarms of a policy that goes."""
    regions.cloudwatch_beside(policy.autoscaling_backend).delete_alarms(
        [one["AlarmName"] for one in getattr(policy, "alarms", [])]
    )


def configured(policy: Any) -> Mapping[str, Any]:
    """Return a policy's `TargetTrackingConfiguration`."""
    return vars(policy.target_tracking_configuration)


def _metric(policy: Any, configuration: Mapping[str, Any]) -> _Metric:
    predefined: Mapping[str, Any] = configuration.get("PredefinedMetricSpecification") or {}
    kind, label = predefined.get("PredefinedMetricType"), str(predefined.get("ResourceLabel", ""))
    balancer, mark, group = label.partition("/targetgroup/")
    if kind != "ALBRequestCountPerTarget" or not mark:
        what = kind or "a customized metric"
        raise ValidationError(
            f"the policy {policy.name} tracks {what}; this cloud tracks ALBRequestCountPerTarget with a ResourceLabel"
        )
    dimensions = {"LoadBalancer": balancer, "TargetGroup": f"targetgroup/{group}"}
    return _Metric("AWS/ApplicationELB", "RequestCountPerTarget", dimensions, "Sum")
