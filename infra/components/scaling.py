"""When replicas are added and taken away."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.planning.plan import Replicas, Scaling

MINUTE = 60
NAMESPACE, REQUESTS = "servestack", "Requests"
"""The metric that the gateway writes for runs that may have no replica, by `Table` and `Run`: the load balancer counts
nothing without one."""


@dataclass(frozen=True, kw_only=True)
class ScalerArgs:
    """What is scaled, by what."""

    run: str
    replicas: Replicas
    group: pulumi.Input[str]
    """Name of the Auto Scaling group."""
    table: pulumi.Input[str]
    balancer_arn_suffix: pulumi.Input[str]
    target_group_arn_suffix: pulumi.Input[str]
    after: pulumi.Resource
    """The load balancer's rule: until it is there, the load balancer counts nothing for the target group."""


class Scaler(pulumi.ComponentResource):
    """Adds replicas by target tracking on requests a replica. Takes one away when one less would have sufficed all
    through `scale_down_delay`: target tracking's own scaling in knows no delay, and never goes to zero. From zero,
    where there is nothing to track, a request seen by the gateway starts the first."""

    def __init__(
        self, name: str, args: ScalerArgs, scaling: Scaling, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("servestack:scaling:Scaler", name, None, opts)
        self._add(name, args, scaling)
        self._remove(name, args, scaling)
        if args.replicas.minimum == 0:
            self._wake(name, args)
        self.register_outputs({})

    def _add(self, name: str, args: ScalerArgs, scaling: Scaling) -> None:
        label = pulumi.Output.concat(args.balancer_arn_suffix, "/", args.target_group_arn_suffix)
        aws.autoscaling.Policy(
            f"{name}-add",
            autoscaling_group_name=args.group,
            policy_type="TargetTrackingScaling",
            estimated_instance_warmup=scaling.scale_up_delay,
            target_tracking_configuration=aws.autoscaling.PolicyTargetTrackingConfigurationArgs(
                target_value=scaling.target * MINUTE,
                disable_scale_in=True,
                predefined_metric_specification=aws.autoscaling.PolicyTargetTrackingConfigurationPredefinedMetricSpecificationArgs(
                    predefined_metric_type="ALBRequestCountPerTarget", resource_label=label
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.after]),
        )

    def _remove(self, name: str, args: ScalerArgs, scaling: Scaling) -> None:
        policy = aws.autoscaling.Policy(
            f"{name}-remove",
            autoscaling_group_name=args.group,
            policy_type="SimpleScaling",
            adjustment_type="ChangeInCapacity",
            scaling_adjustment=-1,
            cooldown=scaling.scale_down_delay,
            opts=pulumi.ResourceOptions(parent=self),
        )
        each = aws.cloudwatch.MetricAlarmMetricQueryMetricArgs(
            namespace="AWS/ApplicationELB",
            metric_name="RequestCountPerTarget",
            dimensions={"TargetGroup": args.target_group_arn_suffix},
            period=MINUTE,
            stat="Sum",
        )
        aws.cloudwatch.MetricAlarm(
            f"{name}-remove",
            alarm_description=f"One replica less suffices for {args.run}",
            comparison_operator="LessThanOrEqualToThreshold",
            threshold=0,
            evaluation_periods=max(1, math.ceil(scaling.scale_down_delay / MINUTE)),
            treat_missing_data="notBreaching",
            metric_queries=[
                aws.cloudwatch.MetricAlarmMetricQueryArgs(id="each", metric=each),
                aws.cloudwatch.MetricAlarmMetricQueryArgs(
                    id="running", metric=_of_group(args.group, "GroupInServiceInstances")
                ),
                aws.cloudwatch.MetricAlarmMetricQueryArgs(
                    id="missing",
                    label="Requests a minute that one replica less could not take",
                    expression=f"each * running - (running - 1) * {scaling.target * MINUTE:g}",
                    return_data=True,
                ),
            ],
            alarm_actions=[policy.arn],
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _wake(self, name: str, args: ScalerArgs) -> None:
        policy = aws.autoscaling.Policy(
            f"{name}-wake",
            autoscaling_group_name=args.group,
            policy_type="StepScaling",
            adjustment_type="ExactCapacity",
            step_adjustments=[
                aws.autoscaling.PolicyStepAdjustmentArgs(scaling_adjustment=1, metric_interval_lower_bound="0")
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )
        requests = aws.cloudwatch.MetricAlarmMetricQueryMetricArgs(
            namespace=NAMESPACE,
            metric_name=REQUESTS,
            dimensions={"Table": args.table, "Run": args.run},
            period=MINUTE,
            stat="Sum",
        )
        aws.cloudwatch.MetricAlarm(
            f"{name}-wake",
            alarm_description=f"{args.run} is asked for and has no replica",
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=1,
            evaluation_periods=1,
            treat_missing_data="notBreaching",
            metric_queries=[
                aws.cloudwatch.MetricAlarmMetricQueryArgs(id="requests", metric=requests),
                aws.cloudwatch.MetricAlarmMetricQueryArgs(
                    id="wanted", metric=_of_group(args.group, "GroupDesiredCapacity")
                ),
                aws.cloudwatch.MetricAlarmMetricQueryArgs(
                    id="unserved",
                    label="Requests a minute without a replica",
                    expression="IF(wanted < 1, requests, 0)",
                    return_data=True,
                ),
            ],
            alarm_actions=[policy.arn],
            opts=pulumi.ResourceOptions(parent=self),
        )


def _of_group(group: pulumi.Input[str], metric: str) -> aws.cloudwatch.MetricAlarmMetricQueryMetricArgs:
    return aws.cloudwatch.MetricAlarmMetricQueryMetricArgs(
        namespace="AWS/AutoScaling",
        metric_name=metric,
        dimensions={"AutoScalingGroupName": group},
        period=MINUTE,
        stat="Average",
    )
