"""One look at a service: five questions to AWS, and their answers as plain data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from infra.planning.table_items import PARTITION_KEY, SORT_KEY, state_partition
from infra.preflight.aws_errors import answer_or, aws_failures
from infra.readiness.awaited import Awaited
from infra.readiness.clients import Clients
from infra.readiness.figures import read_figures
from infra.readiness.seen import FROZEN, Activity, Group, Refresh, Replica, Seen, State, Target

RECENT = 20
"""How many of the newest activities a look asks for: a group starts and ends a few instances between two looks."""
_ENDING = re.compile(r"Terminating EC2 instance:? *([\w-]*)")


class GroupGone(Exception):
    """The group does not exist."""


class Looker:
    """Look at one service. A look leaves out what AWS does not answer, and names it in `unanswered`."""

    def __init__(self, awaited: Awaited, clients: Clients) -> None:
        self._awaited = awaited
        self._clients = clients

    def look(self) -> Seen:
        """Return the answers to all questions.

        Raises:
            GroupGone: the group does not exist.
            Exception: boto3's error, when AWS does not describe the group or its targets.
        """
        unanswered: list[str] = []
        return Seen(
            group=self.group(),
            targets=self._targets(),
            activities=answer_or(self._activities, (), "autoscaling:DescribeScalingActivities", unanswered),
            refresh=answer_or(self._refresh, None, "autoscaling:DescribeInstanceRefreshes", unanswered),
            states=answer_or(self._states, (), "dynamodb:Query", unanswered),
            unanswered=tuple(unanswered),
        )

    def group(self) -> Group:
        """Return only the group. Raises what `look` raises."""
        found = self._clients.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self._awaited.group])
        groups: Sequence[Any] = found["AutoScalingGroups"]
        if not groups:
            raise GroupGone
        group = groups[0]
        return Group(
            minimum=group["MinSize"],
            desired=group["DesiredCapacity"],
            maximum=group["MaxSize"],
            suspended=any(process["ProcessName"] in FROZEN for process in group.get("SuspendedProcesses", [])),
            version=_version(_template(group)),
            replicas=tuple(_replica(instance) for instance in group.get("Instances", [])),
        )

    def health_check(self) -> str:
        """Return the health check in words: `GET /health, which should answer 200`."""
        arn = self._awaited.target_group
        try:
            groups: Sequence[Any] = self._clients.elbv2.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"]
        except aws_failures():
            groups = ()
        if not groups:
            return "the health check of the configuration"
        path, wanted = groups[0].get("HealthCheckPath", "/"), groups[0].get("Matcher", {}).get("HttpCode", "200")
        return f"GET {path}, which should answer {wanted}"

    def _targets(self) -> tuple[Target, ...]:
        found = self._clients.elbv2.describe_target_health(TargetGroupArn=self._awaited.target_group)
        return tuple(_target(one) for one in found["TargetHealthDescriptions"])

    def _activities(self) -> tuple[Activity, ...]:
        found = self._clients.autoscaling.describe_scaling_activities(
            AutoScalingGroupName=self._awaited.group, MaxRecords=RECENT
        )
        return tuple(_activity(one) for one in reversed(found["Activities"]))

    def _refresh(self) -> Refresh | None:
        found = self._clients.autoscaling.describe_instance_refreshes(
            AutoScalingGroupName=self._awaited.group, MaxRecords=1
        )
        refreshes: Sequence[Any] = found["InstanceRefreshes"]
        if not refreshes:
            return None
        newest = refreshes[0]
        return Refresh(
            id=newest["InstanceRefreshId"],
            status=newest["Status"],
            reason=newest.get("StatusReason", ""),
            percent=newest.get("PercentageComplete", 0),
        )

    def _states(self) -> tuple[State, ...]:
        found = self._clients.dynamodb.query(
            TableName=self._awaited.table,
            KeyConditionExpression=f"{PARTITION_KEY} = :run",
            ExpressionAttributeValues={":run": {"S": state_partition(self._awaited.run)}},
            ConsistentRead=True,
        )
        items: Sequence[Any] = found.get("Items", ())  # a proxy can answer with another object
        return tuple(_state(item) for item in sorted(items, key=_said_at))


def _replica(instance: Mapping[str, Any]) -> Replica:
    going = instance.get("LifecycleState", "").startswith(("Terminat", "Detach", "Quarantined"))
    return Replica(
        instance=instance["InstanceId"],
        type=instance.get("InstanceType", ""),
        zone=instance.get("AvailabilityZone", ""),
        version=_version(instance.get("LaunchTemplate", {})),
        leaving=going or instance.get("HealthStatus") == "Unhealthy",
    )


def _template(group: Mapping[str, Any]) -> Mapping[str, Any]:
    mixed = group.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {})
    return mixed.get("LaunchTemplateSpecification") or group.get("LaunchTemplate", {})


def _version(template: Mapping[str, Any]) -> int | None:
    version = str(template.get("Version", ""))
    return int(version) if version.isdigit() else None


def _target(description: Mapping[str, Any]) -> Target:
    health = description.get("TargetHealth", {})
    reason = health.get("Reason", "")
    return Target(
        instance=description["Target"]["Id"],
        state=health.get("State", ""),
        reason=reason,
        description=health.get("Description") or reason or "AWS gives no reason",
    )


def _activity(activity: Mapping[str, Any]) -> Activity:
    failed = activity["StatusCode"] in ("Failed", "Cancelled")
    ends = _ENDING.match(activity.get("Description", ""))
    return Activity(
        id=activity["ActivityId"],
        failed=failed,
        ends=ends[1] if ends else None,
        message=activity.get("StatusMessage", "") if failed else activity.get("Cause", ""),
    )


def _said_at(item: Mapping[str, Any]) -> float:
    """When a replica said its state. DynamoDB has the items in the order of the instances' ids."""
    return float(item.get("at", {}).get("N", 0))


def _state(item: Mapping[str, Any]) -> State:
    percent = item.get("percent", {}).get("N")
    return State(
        instance=item[SORT_KEY]["S"],
        step=item.get("step", {}).get("S", ""),
        percent=None if percent is None else int(float(percent)),
        cause=item.get("cause", {}).get("S"),
        final=bool(item.get("final", {}).get("BOOL", False)),
        output=item.get("output", {}).get("S"),
        figures=read_figures(item),
    )
