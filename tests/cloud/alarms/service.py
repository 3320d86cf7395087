"""A service in the control plane: the program's own policies and alarms, and machines that boot at once."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any

import boto3
from botocore.config import Config

from cloud.control_plane.client import ControlPlane
from cloud.control_plane.environment import IMAGE
from tests.aws.recording import Recording

REGION = "us-east-1"
_numbers = itertools.count(1)


@dataclass
class Process:
    """A control plane that runs, and the clock in it."""

    url: str
    now: float
    clock: IO[str]
    said: IO[str]

    def passes(self, seconds: float) -> None:
        """Let AWS's seconds pass."""
        self.clock.write(f"{seconds}\n")
        self.clock.flush()
        self.now = float(self.said.readline())

    def client(self, service: str) -> Any:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        retries = Config(retries={"total_max_attempts": 1})
        return boto3.client(service, REGION, endpoint_url=self.url, config=retries, **keys)


class Service:
    """One group behind one load balancer, with what the program recorded around it."""

    def __init__(self, process: Process, recorded: Recording) -> None:
        self._process = process
        self._plane = ControlPlane(process.url)
        self.name = f"run-{next(_numbers)}"
        self.autoscaling, self.cloudwatch, self._ec2, self._elbv2, self._logs, self.sns, self._sqs = map(
            process.client, ("autoscaling", "cloudwatch", "ec2", "elbv2", "logs", "sns", "sqs")
        )
        self.serves = True
        """Whether replicas become healthy."""
        self.most_healthy = 1000
        """The others still start."""
        self.load = 0
        """Requests a minute."""
        self.writes: Callable[[], None] | None = None
        """Called each minute."""
        self.history: list[tuple[int, int]] = []
        """Minute and desired capacity, each time it changed."""
        self._minute = 0
        self._begin(recorded)
        self._logs.create_log_group(logGroupName=self.name)
        self._logs.create_log_stream(logGroupName=self.name, logStreamName="stream")

    def minutes(self, count: int) -> None:
        """Let minutes pass, in each of which the machines boot and end, and the load balancer counts."""
        for _ in range(count):
            self._machines()
            self._balancer()
            if self.writes is not None:
                self.writes()
            self._process.passes(60)
            self._minute += 1
            desired = self.group()["DesiredCapacity"]
            if not self.history or self.history[-1][1] != desired:
                self.history.append((self._minute, desired))

    def logs(self, metrics: Mapping[str, float | list[float]], **members: object) -> None:
        """Write a line of the embedded metric format, as the gateway does."""
        now = int(self._process.now * 1000)
        directive = {
            "Namespace": "servestack",
            "Dimensions": [["Table"], ["Table", "Run"]],
            "Metrics": [{"Name": name} for name in metrics],
        }
        line = {"_aws": {"Timestamp": now, "CloudWatchMetrics": [directive]}, "Table": self.name, "Run": "run"}
        event = {"timestamp": now, "message": json.dumps({**line, **metrics, **members})}
        self._logs.put_log_events(logGroupName=self.name, logStreamName="stream", logEvents=[event])

    def group(self) -> Any:
        return self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])["AutoScalingGroups"][0]

    def alarms(self) -> dict[str, str]:
        """The state of each alarm, by the end of its name."""
        found = self.cloudwatch.describe_alarms(AlarmNamePrefix=self.name)["MetricAlarms"]
        return {one["AlarmName"].removeprefix(f"{self.name}-run-"): one["StateValue"] for one in found}

    def state(self, alarm: str) -> str:
        """The state of an alarm."""
        return self.cloudwatch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"][0]["StateValue"]

    def tracking(self) -> tuple[str, str]:
        """The names of the two alarms of target tracking: high, low."""
        found = self.cloudwatch.describe_alarms(AlarmNamePrefix=f"TargetTracking-{self.name}-")["MetricAlarms"]
        high, low = sorted(one["AlarmName"] for one in found)
        return high, low

    def causes(self) -> list[str]:
        """Why its capacity changed, without the time, the oldest first."""
        found = self.autoscaling.describe_scaling_activities(AutoScalingGroupName=self.name)["Activities"]
        causes = [one["Cause"].split("  ")[0].split("Z ", 1)[1] for one in reversed(found)]
        return [cause for index, cause in enumerate(causes) if cause not in causes[:index]]

    def stamp(self) -> datetime:
        return datetime.fromtimestamp(self._process.now, UTC)

    def close(self) -> None:
        """End what would disturb the next test."""
        for policy in self.autoscaling.describe_policies(AutoScalingGroupName=self.name)["ScalingPolicies"]:
            self.autoscaling.delete_policy(AutoScalingGroupName=self.name, PolicyName=policy["PolicyName"])
        left = self.cloudwatch.describe_alarms()["MetricAlarms"]
        tracking = [one["AlarmName"] for one in left if one["AlarmName"].startswith(f"TargetTracking-{self.name}-")]
        assert tracking == [], "a policy that is deleted takes its alarms with it"
        self.cloudwatch.delete_alarms(AlarmNames=[one["AlarmName"] for one in left])
        self.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=self.name, ForceDelete=True)

    def _begin(self, recorded: Recording) -> None:
        group = recorded.one("aws:autoscaling/group:Group")
        subnets = self._ec2.describe_subnets()["Subnets"][:2]
        balancer = self._elbv2.create_load_balancer(
            Name=self.name, Subnets=[one["SubnetId"] for one in subnets], Scheme="internal"
        )["LoadBalancers"][0]["LoadBalancerArn"]
        self._target_group = self._elbv2.create_target_group(
            Name=self.name, Protocol="HTTP", Port=8000, VpcId=subnets[0]["VpcId"]
        )["TargetGroups"][0]["TargetGroupArn"]
        forward = [{"Type": "forward", "TargetGroupArn": self._target_group}]
        self._elbv2.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=forward)
        template = self._ec2.create_launch_template(
            LaunchTemplateName=self.name, LaunchTemplateData={"ImageId": IMAGE, "InstanceType": "g5.xlarge"}
        )["LaunchTemplate"]["LaunchTemplateId"]
        self.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=self.name,
            LaunchTemplate={"LaunchTemplateId": template, "Version": "1"},
            MinSize=group.inputs["minSize"],
            MaxSize=group.inputs["maxSize"],
            VPCZoneIdentifier=",".join(one["SubnetId"] for one in subnets),
            TargetGroupARNs=[self._target_group],
        )
        self.autoscaling.enable_metrics_collection(
            AutoScalingGroupName=self.name, Granularity="1Minute", Metrics=group.inputs["enabledMetrics"]
        )
        self._suffix = balancer.split(":loadbalancer/")[1]
        there = {
            recorded.made(group).outputs["name"]: self.name,
            recorded.made(recorded.one("aws:lb/targetGroup:TargetGroup")).outputs["arnSuffix"]: self._group_suffix,
            next(recorded.cloud.records.of("aws:lb/loadBalancer:LoadBalancer")).outputs["arnSuffix"]: self._suffix,
            next(recorded.cloud.records.of("aws:dynamodb/table:Table")).outputs["name"]: self.name,
        }
        for policy in recorded.of("aws:autoscaling/policy:Policy"):
            arn = self.autoscaling.put_scaling_policy(**_policy(policy.name, _here(policy.inputs, there)))["PolicyARN"]
            there[recorded.made(policy).outputs["arn"]] = arn
        for topic in recorded.of("aws:sns/topic:Topic"):
            there[recorded.made(topic).outputs["arn"]] = self._topic()
        for alarm in recorded.of("aws:cloudwatch/metricAlarm:MetricAlarm"):
            given = _alarm(_here(alarm.inputs, there))
            self.cloudwatch.put_metric_alarm(AlarmName=f"{self.name}-{alarm.name}", **given)

    def mails(self) -> list[Any]:
        """What the topic was told since the last time: subject, old and new state and reason, the oldest first."""
        found = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages", [])
        for one in found:  # a message that is only received comes again half a minute later
            self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=one["ReceiptHandle"])
        told = [json.loads(one["Body"]) for one in found]
        changes = [(one["Subject"], json.loads(one["Message"])) for one in told]
        return [
            (subject, *(change[name] for name in ("OldStateValue", "NewStateValue", "AlarmDescription")))
            for subject, change in changes
        ]

    def _topic(self) -> str:
        """A topic, with a queue that keeps what it is told."""
        topic = self.sns.create_topic(Name=self.name)["TopicArn"]
        self._queue = self._sqs.create_queue(QueueName=self.name)["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        return topic

    @property
    def dimensions(self) -> list[dict[str, str]]:
        """Of the load balancer's metrics for its target group."""
        return [
            {"Name": "LoadBalancer", "Value": self._suffix},
            {"Name": "TargetGroup", "Value": self._group_suffix},
        ]

    @property
    def _group_suffix(self) -> str:
        return self._target_group.rsplit(":", 1)[1]

    def _machines(self) -> None:
        mine = [one for one in self._plane.instances() if one["group"] == self.name]
        for one in mine:
            follows = {"pending": "running", "shutting-down": "terminated"}.get(one["state"])
            if follows is not None:
                self._plane.instance_became(one["id"], follows)
        self._process.passes(0)
        draining = self._elbv2.describe_target_health(TargetGroupArn=self._target_group)["TargetHealthDescriptions"]
        gone = [one["Target"] for one in draining if one["TargetHealth"]["State"] == "draining"]
        told = [{"id": one["Id"], "port": one["Port"], "state": "unused"} for one in gone]
        self._plane.report_targets(self._target_group, told)
        self._process.passes(0)

    def _balancer(self) -> None:
        running = sum(one["LifecycleState"] == "InService" for one in self.group()["Instances"])
        healthy = min(running, self.most_healthy) if self.serves else 0
        both = self.dimensions
        counted: list[tuple[str, float, list[dict[str, str]]]] = []
        if running:
            counted.append(("HealthyHostCount", healthy, both))
        if self.load and healthy:
            each = self.load / healthy
            counted += [("RequestCountPerTarget", each, both), ("RequestCountPerTarget", each, both[1:])]
            counted += [("RequestCount", self.load, both), ("HTTPCode_Target_2XX_Count", self.load, both)]
        if counted:
            self.cloudwatch.put_metric_data(
                Namespace="AWS/ApplicationELB",
                MetricData=[
                    {"MetricName": name, "Value": value, "Dimensions": dimensions, "Timestamp": self.stamp()}
                    for name, value, dimensions in counted
                ],
            )


def _here(inputs: Mapping[str, Any], there: Mapping[str, str]) -> dict[str, Any]:
    """The inputs with the names of this control plane."""
    text = json.dumps(dict(inputs))
    for recorded, real in sorted(there.items(), key=lambda one: -len(one[0])):  # an ARN has the name of a group
        text = text.replace(recorded, real)
    return json.loads(text)


def _policy(name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    given: dict[str, Any] = {
        "AutoScalingGroupName": inputs["autoscalingGroupName"],
        "PolicyName": f"{inputs['autoscalingGroupName']}-{name}",
        "PolicyType": inputs["policyType"],
    }
    plain = {"adjustmentType": "AdjustmentType", "scalingAdjustment": "ScalingAdjustment", "cooldown": "Cooldown"}
    given |= {name: inputs[key] for key, name in plain.items() if key in inputs}
    if "estimatedInstanceWarmup" in inputs:
        given["EstimatedInstanceWarmup"] = inputs["estimatedInstanceWarmup"]
    if "stepAdjustments" in inputs:
        given["StepAdjustments"] = [
            {
                "ScalingAdjustment": one["scalingAdjustment"],
                "MetricIntervalLowerBound": float(one["metricIntervalLowerBound"]),
            }
            for one in inputs["stepAdjustments"]
        ]
    if tracking := inputs.get("targetTrackingConfiguration"):
        queries = tracking["customizedMetricSpecification"]["metrics"]
        given["TargetTrackingConfiguration"] = {
            "TargetValue": tracking["targetValue"],
            "DisableScaleIn": tracking["disableScaleIn"],
            "CustomizedMetricSpecification": {"Metrics": [_tracked(query) for query in queries]},
        }
    return given


def _tracked(query: Mapping[str, Any]) -> dict[str, Any]:
    returned = {"Id": query["id"], "ReturnData": query["returnData"]}
    if "expression" in query:
        return {**returned, "Expression": query["expression"]}
    metric = query["metricStat"]["metric"]
    named = [{"Name": one["name"], "Value": one["value"]} for one in metric["dimensions"]]
    found = {"Namespace": metric["namespace"], "MetricName": metric["metricName"], "Dimensions": named}
    return {**returned, "MetricStat": {"Metric": found, "Stat": query["metricStat"]["stat"]}}


def _alarm(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "AlarmDescription": inputs["alarmDescription"],
        "ComparisonOperator": inputs["comparisonOperator"],
        "Threshold": inputs["threshold"],
        "EvaluationPeriods": inputs["evaluationPeriods"],
        "TreatMissingData": inputs["treatMissingData"],
        "AlarmActions": inputs["alarmActions"],
        "OKActions": inputs.get("okActions", []),
        "Metrics": [_query(one) for one in inputs["metricQueries"]],
    }


def _query(query: Mapping[str, Any]) -> dict[str, Any]:
    given: dict[str, Any] = {"Id": query["id"], "ReturnData": query.get("returnData", False)}
    if "expression" in query:
        return {**given, "Expression": query["expression"], "Label": query["label"]}
    metric = query["metric"]
    dimensions = [{"Name": name, "Value": value} for name, value in metric["dimensions"].items()]
    named = {"Namespace": metric["namespace"], "MetricName": metric["metricName"], "Dimensions": dimensions}
    return {**given, "MetricStat": {"Metric": named, "Period": metric["period"], "Stat": metric["stat"]}}
