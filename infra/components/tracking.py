"""The metric of the group's target tracking: requests a minute for each replica."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi_aws.autoscaling import (
    PolicyTargetTrackingConfigurationCustomizedMetricSpecificationArgs as Customized,
)
from pulumi_aws.autoscaling import (
    PolicyTargetTrackingConfigurationCustomizedMetricSpecificationMetricArgs as Query,
)
from pulumi_aws.autoscaling import (
    PolicyTargetTrackingConfigurationCustomizedMetricSpecificationMetricMetricStatArgs as Statistic,
)
from pulumi_aws.autoscaling import (
    PolicyTargetTrackingConfigurationCustomizedMetricSpecificationMetricMetricStatMetricArgs as Metric,
)
from pulumi_aws.autoscaling import (
    PolicyTargetTrackingConfigurationCustomizedMetricSpecificationMetricMetricStatMetricDimensionArgs as Dimension,
)


def requests_a_replica(
    group: pulumi.Input[str], balancer: pulumi.Input[str], target_group: pulumi.Input[str]
) -> Customized:
    """Return the requests of a target group for each replica of one of its Auto Scaling groups.

    dstack scales each group of replicas by all requests of the run. Replicas that start count too: AWS's own metric,
    ALBRequestCountPerTarget, is for healthy ones alone, so if starting took longer than the warm-up, the group would
    add replicas again and again for the same load. EC2 Auto Scaling looks at such a metric every minute
    (autoscaling/ec2/userguide/ec2-auto-scaling-target-tracking-metric-math.html).
    """
    balanced = {"LoadBalancer": balancer, "TargetGroup": target_group}
    return Customized(
        metrics=[
            _metric("requests", "AWS/ApplicationELB", "RequestCount", "Sum", balanced),
            _metric(
                "running", "AWS/AutoScaling", "GroupInServiceInstances", "Average", {"AutoScalingGroupName": group}
            ),
            Query(id="each", label="Requests a minute a replica", expression="requests / running", return_data=True),
        ]
    )


def _metric(id: str, namespace: str, name: str, stat: str, dimensions: Mapping[str, pulumi.Input[str]]) -> Query:
    return Query(
        id=id,
        metric_stat=Statistic(
            metric=Metric(
                namespace=namespace,
                metric_name=name,
                dimensions=[Dimension(name=key, value=value) for key, value in dimensions.items()],
            ),
            stat=stat,
        ),
        return_data=False,
    )
