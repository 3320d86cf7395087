"""When replicas are added and removed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.components.tracking import requests_a_replica
from infra.planning.metrics import ARRIVALS, MINUTE, NAMESPACE
from infra.planning.plan import Replicas, Scaling
from infra.planning.text import decimal


@dataclass(frozen=True, kw_only=True)
class ScalerArgs:
    """The group, and what its size depends on."""

    run: str
    replicas: Replicas
    alone: bool = True
    """Whether these are all replicas of the run. Otherwise they are one group of several behind one target group."""
    counted_by_gateway: bool = True
    """Whether the gateway counts requests as they come, because the run can have no replica at all."""
    boot_timeout: int
    """Seconds that a replica has to become healthy."""
    group: pulumi.Input[str]
    """Name of the Auto Scaling group."""
    table: pulumi.Input[str]
    balancer_arn_suffix: pulumi.Input[str]
    target_group_arn_suffix: pulumi.Input[str]
    after: pulumi.Resource
    """The load balancer's rule: until it is there, the load balancer counts nothing for the target group."""


class Scaler(pulumi.ComponentResource):
    """Target tracking of the requests for each replica adds replicas. An alarm removes one replica if one less was
    enough for the whole `scale_down_delay`, because target tracking itself removes replicas without a delay, and never
    the last one. With no replicas there is nothing to track, so the first request at the gateway starts a replica.
    Requests fail until it serves. So only time with a healthy replica counts for the delay. A replica that never
    becomes healthy, and for which no update waits, is removed after `boot_timeout`."""

    def __init__(
        self, name: str, args: ScalerArgs, scaling: Scaling, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("servestack:scaling:Scaler", name, None, opts)
        self._add(name, args, scaling)
        remove = self._remove(name, args, scaling)
        if args.replicas.minimum == 0:
            self._wake(name, args)
            self._give_up(name, args, remove)
        self.register_outputs({})

    def _add(self, name: str, args: ScalerArgs, scaling: Scaling) -> None:
        aws.autoscaling.Policy(
            f"{name}-add",
            autoscaling_group_name=args.group,
            policy_type="TargetTrackingScaling",
            estimated_instance_warmup=scaling.scale_up_delay,
            target_tracking_configuration=aws.autoscaling.PolicyTargetTrackingConfigurationArgs(
                target_value=_a_minute(scaling),
                disable_scale_in=True,
                customized_metric_specification=requests_a_replica(
                    args.group, args.balancer_arn_suffix, args.target_group_arn_suffix
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.after]),
        )

    def _remove(self, name: str, args: ScalerArgs, scaling: Scaling) -> aws.autoscaling.Policy:
        policy = aws.autoscaling.Policy(
            f"{name}-remove",
            autoscaling_group_name=args.group,
            policy_type="SimpleScaling",
            adjustment_type="ChangeInCapacity",
            scaling_adjustment=-1,
            cooldown=scaling.scale_down_delay,
            opts=pulumi.ResourceOptions(parent=self),
        )
        target = decimal(_a_minute(scaling))
        requests = "FILL(each, 0) * running" if args.alone else "FILL(all, 0)"
        aws.cloudwatch.MetricAlarm(
            f"{name}-remove",
            alarm_description=f"One replica less is enough for {args.run}",
            comparison_operator="LessThanOrEqualToThreshold",
            threshold=0,
            evaluation_periods=max(1, math.ceil(scaling.scale_down_delay / MINUTE)),
            treat_missing_data="notBreaching",
            metric_queries=[
                aws.cloudwatch.MetricAlarmMetricQueryArgs(id="each", metric=_each(args))
                if args.alone
                else aws.cloudwatch.MetricAlarmMetricQueryArgs(id="all", metric=_all(args)),
                aws.cloudwatch.MetricAlarmMetricQueryArgs(
                    id="running", metric=_of_group(args.group, "GroupInServiceInstances")
                ),
                aws.cloudwatch.MetricAlarmMetricQueryArgs(id="healthy", metric=_healthy(args)),
                # The load balancer can leave out a minute without a request.
                aws.cloudwatch.MetricAlarmMetricQueryArgs(
                    id="missing",
                    label="Requests a minute that one replica less could not take",
                    expression=f"IF(FILL(healthy, 0) > 0, {requests} - (running - 1) * {target}, 1)",
                    return_data=True,
                ),
            ],
            alarm_actions=[policy.arn],
            opts=pulumi.ResourceOptions(parent=self),
        )
        return policy

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
        arrivals = _arrivals(args) if args.counted_by_gateway else _all(args)
        aws.cloudwatch.MetricAlarm(
            f"{name}-wake",
            alarm_description=f"{args.run} has requests and no replica",
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=1,
            evaluation_periods=1,
            treat_missing_data="notBreaching",
            metric_queries=[
                aws.cloudwatch.MetricAlarmMetricQueryArgs(id="arrivals", metric=arrivals),
                aws.cloudwatch.MetricAlarmMetricQueryArgs(
                    id="wanted", metric=_of_group(args.group, "GroupDesiredCapacity")
                ),
                aws.cloudwatch.MetricAlarmMetricQueryArgs(
                    id="unserved",
                    label="Requests a minute without a replica",
                    expression="IF(wanted < 1, arrivals, 0)",
                    return_data=True,
                ),
            ],
            alarm_actions=[policy.arn],
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _give_up(self, name: str, args: ScalerArgs, remove: aws.autoscaling.Policy) -> None:
        aws.cloudwatch.MetricAlarm(
            f"{name}-give-up",
            alarm_description=f"{args.run} has replicas, but none becomes healthy or answers requests",
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=1,
            evaluation_periods=math.ceil(args.boot_timeout / MINUTE),
            treat_missing_data="notBreaching",
            metric_queries=[
                aws.cloudwatch.MetricAlarmMetricQueryArgs(
                    id="running", metric=_of_group(args.group, "GroupInServiceInstances")
                ),
                aws.cloudwatch.MetricAlarmMetricQueryArgs(id="healthy", metric=_healthy(args)),
                aws.cloudwatch.MetricAlarmMetricQueryArgs(id="answered", metric=_answered(args)),
                aws.cloudwatch.MetricAlarmMetricQueryArgs(
                    id="hopeless",
                    label="Replicas of which none is healthy or answers requests",
                    expression="IF(FILL(healthy, 0) + FILL(answered, 0) > 0, 0, running)",
                    return_data=True,
                ),
            ],
            alarm_actions=[remove.arn],
            opts=pulumi.ResourceOptions(parent=self),
        )


def _a_minute(scaling: Scaling) -> float:
    """Return requests a minute for each replica, because the load balancer counts by the minute."""
    return round(scaling.target * MINUTE, 6)


def _each(args: ScalerArgs) -> aws.cloudwatch.MetricAlarmMetricQueryMetricArgs:
    """Return the metric of requests a minute for each healthy replica."""
    return aws.cloudwatch.MetricAlarmMetricQueryMetricArgs(
        namespace="AWS/ApplicationELB",
        metric_name="RequestCountPerTarget",
        dimensions={"TargetGroup": args.target_group_arn_suffix},
        period=MINUTE,
        stat="Sum",
    )


def _all(args: ScalerArgs) -> aws.cloudwatch.MetricAlarmMetricQueryMetricArgs:
    """Return the metric of requests a minute for all replicas of the run. dstack scales each group by them."""
    return _balanced(args, "RequestCount", "Sum")


def _arrivals(args: ScalerArgs) -> aws.cloudwatch.MetricAlarmMetricQueryMetricArgs:
    """Return the metric of requests a minute that the gateway has got."""
    return aws.cloudwatch.MetricAlarmMetricQueryMetricArgs(
        namespace=NAMESPACE,
        metric_name=ARRIVALS,
        dimensions={"Table": args.table, "Run": args.run},
        period=MINUTE,
        stat="Sum",
    )


def _healthy(args: ScalerArgs) -> aws.cloudwatch.MetricAlarmMetricQueryMetricArgs:
    """Healthy replicas of the run, as the load balancer's node that has most of them sees it."""
    return _balanced(args, "HealthyHostCount", "Maximum")


def _answered(args: ScalerArgs) -> aws.cloudwatch.MetricAlarmMetricQueryMetricArgs:
    """Good answers of replicas. The load balancer sends requests even if it finds no replica healthy, so replicas that
    are too busy for its check still have some."""
    return _balanced(args, "HTTPCode_Target_2XX_Count", "Sum")


def _balanced(args: ScalerArgs, metric: str, stat: str) -> aws.cloudwatch.MetricAlarmMetricQueryMetricArgs:
    return aws.cloudwatch.MetricAlarmMetricQueryMetricArgs(
        namespace="AWS/ApplicationELB",
        metric_name=metric,
        dimensions={"LoadBalancer": args.balancer_arn_suffix, "TargetGroup": args.target_group_arn_suffix},
        period=MINUTE,
        stat=stat,
    )


def _of_group(group: pulumi.Input[str], metric: str) -> aws.cloudwatch.MetricAlarmMetricQueryMetricArgs:
    return aws.cloudwatch.MetricAlarmMetricQueryMetricArgs(
        namespace="AWS/AutoScaling",
        metric_name=metric,
        dimensions={"AutoScalingGroupName": group},
        period=MINUTE,
        stat="Average",
    )
