"""Whether the topic that alarms tell exists: CloudWatch takes any ARN, and a wrong one tells nobody."""

from __future__ import annotations

from typing import Any

from infra.planning.alarm_plan import AlarmPlan
from infra.preflight.aws_errors import aws_failures, error_code
from infra.preflight.clients import AwsClient
from infra.preflight.finding import Finding, ok, refusal, warning

TOPIC = "alarm topic"
OWN_KEY = "alias/aws/sns"
"""AWS's own key for SNS, which CloudWatch cannot use (repost.aws/knowledge-center/cloudwatch-configure-alarm-sns)."""


def check_topic(aws: AwsClient, alarms: AlarmPlan | None, region: str) -> list[Finding]:
    """Whether alarms reach someone by the topic. Raises what boto3 raises where AWS does not answer."""
    if alarms is None or alarms.topic is None:
        return []
    arn = alarms.topic
    try:
        found: Any = aws("sns", region).get_topic_attributes(TopicArn=arn)["Attributes"]
    except aws_failures() as error:
        if error_code(error) not in ("NotFound", "NotFoundException"):
            raise
        remedy = "correct alarm_topic, create the topic in SNS, or set alarm_email in its place"
        return [refusal(TOPIC, f"{arn} does not exist, so alarms would tell nobody: {remedy}")]
    if found.get("KmsMasterKeyId") == OWN_KEY:
        remedy = "encrypt the topic with a key of your own that cloudwatch.amazonaws.com can use, or not at all"
        return [refusal(TOPIC, f"CloudWatch cannot send to {arn}, because AWS's own key encrypts it: {remedy}")]
    if found.get("SubscriptionsConfirmed") == "0":
        return [warning(TOPIC, f"{arn} has no subscriber, so alarms tell nobody: subscribe someone in SNS")]
    return [ok(TOPIC, arn)]
