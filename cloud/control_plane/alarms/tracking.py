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
MADE = "TargetTracking-"
"""How the names of such alarms begin."""
_MADE_BY_AWS = "DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {}."


@dataclass(frozen=True)
class _Metric:
    namespace: str
    name: str
    dimensions: Mapping[str, str]
    stat: str


def make_alarms(policy: Any) -> None:
    """Make the alarms of a policy.

    Raises:
        ValidationError: the policy tracks a metric that this cloud does not have.
    """
    configuration = configured(policy)
    metric, target = _metric(policy, configuration), float(configuration["TargetValue"])
    backend = regions.cloudwatch_beside(policy.autoscaling_backend)
    for side, comparison, threshold, periods in (
        ("AlarmHigh", "GreaterThanThreshold", target, HIGH),
        ("AlarmLow", "LessThanThreshold", target * BELOW, LOW),
    ):
        backend.put_metric_alarm(
            name=f"{MADE}{policy.auto_scaling_group_name}-{side}-{uuid4()}",
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


def delete_alarms(policy: Any) -> None:
    """Delete the alarms that were made for a policy that goes."""
    made = [one["AlarmName"] for one in alarms_of(policy) if one["AlarmName"].startswith(MADE)]
    regions.cloudwatch_beside(policy.autoscaling_backend).delete_alarms(made)


def alarms_of(policy: Any) -> list[Mapping[str, str]]:
    """Return name and ARN of the alarms that call a policy, as DescribePolicies shows them."""
    all = regions.cloudwatch_beside(policy.autoscaling_backend).alarms.values()
    return [{"AlarmName": one.name, "AlarmARN": one.alarm_arn} for one in all if policy.arn in one.alarm_actions]


def configured(policy: Any) -> Mapping[str, Any]:
    """Return a policy's `TargetTrackingConfiguration`."""
    return dict(policy.target_tracking_configuration.__dict__)


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
