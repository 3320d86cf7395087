"""The alarms of a stack, and the topic that gets their messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.planning.alarm_plan import AlarmPlan
from infra.planning.alarms import Alarm
from infra.planning.metrics import Metric


@dataclass(frozen=True, kw_only=True)
class AlarmsArgs:
    """Who is told about what."""

    told: AlarmPlan
    alarms: Sequence[Alarm]
    names: Mapping[str, pulumi.Input[str]]
    """`infra.planning.metrics.Names`, of which some are known only when they are there."""
    after: pulumi.Resource | None = None
    """What is there before anything else of the stack is made."""


class Alarms(pulumi.ComponentResource):
    """The alarms. If an email address gets their messages, also a topic and its subscription.

    The topic is not encrypted with AWS's own key for SNS: CloudWatch cannot publish to such a topic
    (repost.aws/knowledge-center/cloudwatch-configure-alarm-sns). A mail has the names and the numbers of an alarm.
    """

    def __init__(self, name: str, args: AlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("servestack:alarms:Alarms", name, None, opts)
        topic = self._topic(name, args)
        for alarm in args.alarms:
            aws.cloudwatch.MetricAlarm(
                f"{name}-{alarm.name}",
                alarm_description=alarm.says,
                comparison_operator=alarm.comparison,
                threshold=alarm.threshold,
                evaluation_periods=alarm.periods,
                treat_missing_data="notBreaching",
                metric_queries=[*self._metrics(alarm, args.names), *_expression(alarm)],
                alarm_actions=[topic],
                ok_actions=[topic],
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})

    def _topic(self, name: str, args: AlarmsArgs) -> pulumi.Input[str]:
        """ARN of the topic."""
        if args.told.topic is not None:
            return args.told.topic
        topic = aws.sns.Topic(f"{name}-alarms", opts=pulumi.ResourceOptions(parent=self, depends_on=args.after))
        aws.sns.TopicSubscription(
            f"{name}-alarms",
            topic=topic.arn,
            protocol="email",
            endpoint=args.told.email or "",
            opts=pulumi.ResourceOptions(parent=self),
        )
        return topic.arn

    def _metrics(
        self, alarm: Alarm, names: Mapping[str, pulumi.Input[str]]
    ) -> list[aws.cloudwatch.MetricAlarmMetricQueryArgs]:
        return [
            aws.cloudwatch.MetricAlarmMetricQueryArgs(
                id=metric.id,
                metric=_metric(metric, alarm.period, names),
                return_data=True if alarm.expression is None else None,
            )
            for metric in alarm.metrics
        ]


def _metric(
    metric: Metric, period: int, names: Mapping[str, pulumi.Input[str]]
) -> aws.cloudwatch.MetricAlarmMetricQueryMetricArgs:
    return aws.cloudwatch.MetricAlarmMetricQueryMetricArgs(
        namespace=metric.namespace,
        metric_name=metric.name,
        dimensions={dimension: names[key] for dimension, key in metric.dimensions.items()},
        period=period,
        stat=metric.stat,
    )


def _expression(alarm: Alarm) -> list[aws.cloudwatch.MetricAlarmMetricQueryArgs]:
    if alarm.expression is None:
        return []
    return [
        aws.cloudwatch.MetricAlarmMetricQueryArgs(
            id="watched", label=alarm.name, expression=alarm.expression, return_data=True
        )
    ]
