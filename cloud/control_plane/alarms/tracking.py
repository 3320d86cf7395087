"""The two alarms that AWS makes for a target tracking policy.

Source: the EC2 Auto Scaling user guide, target tracking scaling policies. Three minutes above the target add instances;
fifteen minutes well below it remove one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from moto.autoscaling.exceptions import ValidationError
from moto.cloudwatch.models import Dimension, Metric, MetricDataQuery, MetricStat

from cloud.control_plane.alarms import regions

HIGH, LOW = 3, 15
"""Minutes."""
BELOW = 0.9
"""Of the target: where scaling in begins."""
MINUTE = 60
MADE = "TargetTracking-"
"""How the names of such alarms begin."""
_NO_METRIC: Mapping[str, Any] = {
    "namespace": None,
    "metric_name": None,
    "statistic": None,
    "period": None,
    "dimensions": [],
}
_MADE_BY_AWS = "DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {}."


def make_alarms(policy: Any) -> None:
    """Make the alarms of a policy.

    Raises:
        ValidationError: the policy tracks a metric that this cloud does not have.
    """
    configuration = configured(policy)
    watched, target = _watched(policy, configuration), float(configuration["TargetValue"])
    backend = regions.cloudwatch_beside(policy.autoscaling_backend)
    for side, comparison, threshold, periods in (
        ("AlarmHigh", "GreaterThanThreshold", target, HIGH),
        ("AlarmLow", "LessThanThreshold", target * BELOW, LOW),
    ):
        backend.put_metric_alarm(
            name=f"{MADE}{policy.auto_scaling_group_name}-{side}-{uuid4()}",
            comparison_operator=comparison,
            evaluation_periods=periods,
            threshold=threshold,
            description=_MADE_BY_AWS.format(policy.arn),
            alarm_actions=[policy.arn],
            **watched,
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


def _watched(policy: Any, configuration: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the alarms look at, as moto's alarms take it."""
    customized: Mapping[str, Any] = configuration.get("CustomizedMetricSpecification") or {}
    if customized.get("Metrics"):
        queries = [_query(query) for query in customized["Metrics"]]
        return {**_NO_METRIC, "metric_data_queries": queries}
    predefined: Mapping[str, Any] = configuration.get("PredefinedMetricSpecification") or {}
    kind, label = predefined.get("PredefinedMetricType"), str(predefined.get("ResourceLabel", ""))
    balancer, mark, group = label.partition("/targetgroup/")
    if kind != "ALBRequestCountPerTarget" or not mark:
        what = kind or "a customized metric without metric math"
        raise ValidationError(
            f"the policy {policy.name} tracks {what}; this cloud tracks metric math, and ALBRequestCountPerTarget with "
            "a ResourceLabel"
        )
    return {
        "namespace": "AWS/ApplicationELB",
        "metric_name": "RequestCountPerTarget",
        "statistic": "Sum",
        "period": MINUTE,
        "dimensions": [
            {"Name": "LoadBalancer", "Value": balancer},
            {"Name": "TargetGroup", "Value": f"targetgroup/{group}"},
        ],
    }


def _query(query: Mapping[str, Any]) -> MetricDataQuery:
    """A member of `Metrics`. AWS looks at such a metric every minute."""
    returned = str(query.get("ReturnData", True)).lower()
    if "Expression" in query:
        return MetricDataQuery(query["Id"], query.get("Label", ""), str(MINUTE), returned, query["Expression"])
    stat = query["MetricStat"]
    dimensions = [Dimension(one["Name"], one["Value"]) for one in stat["Metric"].get("Dimensions", [])]
    metric = Metric(stat["Metric"]["MetricName"], stat["Metric"]["Namespace"], dimensions)
    measured = MetricStat(metric, str(MINUTE), stat["Stat"], stat.get("Unit", ""))
    return MetricDataQuery(query["Id"], query.get("Label", ""), str(MINUTE), returned, metric_stat=measured)
