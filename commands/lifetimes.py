"""When the replicas of a service began and ended, and what kind of instance each one is or was.

EC2 describes the instances that are there. Those that have ended are in the scaling activities of their group, which
Auto Scaling keeps for six weeks (autoscaling/ec2/APIReference/API_DescribeScalingActivities.html). The activities do
not say the instance type; a replica writes it into its own log (`infra/planning/boot`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from commands.stack_state import Bought
from infra.preflight.aws_errors import aws_failures, collected, kind_of
from infra.readiness.seen import Replica

HISTORY = timedelta(weeks=6)
"""How long Auto Scaling keeps an activity."""
LONGEST_END = timedelta(hours=1)
"""Longer than an instance takes to end: 15 minutes without new requests, then EC2."""
_ACTIVITY = re.compile(r"(Launching|Terminating|Detaching)\b.*?\b(i-[0-9a-z]+)")
_PAGE = 100
"""The most activities that AWS returns at once."""
_AT_ONCE = 8
"""Questions to the log at the same time. A region allows 10 to 30 a second
(AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html)."""

_WRITTEN: dict[tuple[str, str], str] = {}
"""Log group and instance -> its type. It never changes, so `make status --watch` asks once."""


@dataclass(frozen=True, kw_only=True)
class Lifetime:
    """One replica, from its start to its end."""

    instance: str
    type: str | None
    """AWS's name of the instance type; `None`: nothing says it."""
    assumed: bool
    """Whether `type` is the plan's first offer, because nothing says which one it was."""
    spot: bool | None
    """`None`: not known."""
    began: datetime
    ended: datetime | None
    """`None`: it is there now."""


def living(ec2: Any, replicas: Sequence[Replica]) -> tuple[Lifetime, ...]:
    """Return the lifetimes of replicas of the group, without those that EC2 does not describe. Raises what boto3
    raises."""
    types = {replica.instance: replica.type for replica in replicas}
    if not types:
        return ()
    found = ec2.describe_instances(Filters=[{"Name": "instance-id", "Values": list(types)}])
    return tuple(
        Lifetime(
            instance=instance["InstanceId"],
            type=types[instance["InstanceId"]],
            assumed=False,
            spot=instance.get("InstanceLifecycle") == "spot",
            began=instance["LaunchTime"],
            ended=None,
        )
        for reservation in found["Reservations"]
        for instance in reservation["Instances"]
    )


def ended_since(
    begin: datetime, autoscaling: Any, logs: Any, *, group: str, log_group: str, bought: Bought
) -> tuple[Lifetime, ...]:
    """Return the replicas of a group that ended after `begin`, the oldest first. Raises what boto3 raises.

    One that started so long ago that its start is not found has `begin` as its start, so its hours after `begin` are
    right. An instance that someone detached from the group counts as ended.
    """
    starts: dict[str, datetime] = {}
    ends: dict[str, datetime] = {}
    for kind, instance, activity in _activities(autoscaling, group, begin):
        if kind == "Launching":
            starts[instance] = activity["StartTime"]
        elif activity["StatusCode"] == "Successful" and (end := activity.get("EndTime", begin)) > begin:
            ends[instance] = end
    types = _types(logs, log_group, bought, list(ends))
    first = bought.types[0] if bought.types else None
    found = [
        Lifetime(
            instance=instance,
            type=types.get(instance, first),
            assumed=instance not in types,
            spot=bought.spot,
            began=starts.get(instance, begin),
            ended=ended,
        )
        for instance, ended in ends.items()
    ]
    return tuple(sorted(found, key=lambda one: (one.began, one.instance)))


def _activities(autoscaling: Any, group: str, begin: datetime) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield what an activity does, to which instance, and the activity. Those in progress come first, then the newest
    of those that have ended."""
    asked = autoscaling.describe_scaling_activities
    for activity in collected(asked, "Activities", AutoScalingGroupName=group, MaxRecords=_PAGE):
        over = activity["StatusCode"] in ("Successful", "Failed", "Cancelled")
        if over and activity["StartTime"] < begin - LONGEST_END:
            return
        matched = _ACTIVITY.match(activity["Description"])
        if matched and activity["StatusCode"] not in ("Failed", "Cancelled"):
            yield matched[1], matched[2], activity


def _types(logs: Any, log_group: str, bought: Bought, instances: Sequence[str]) -> Mapping[str, str]:
    """Return the type of each instance that says it in its log. A group of one type needs no question."""
    if len(bought.types) == 1:
        return dict.fromkeys(instances, bought.types[0])

    def ask(instance: str) -> str | None:
        return _written_type(logs, log_group, instance)

    asked = [instance for instance in instances if (log_group, instance) not in _WRITTEN]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for instance, type in zip(asked, pool.map(ask, asked), strict=True):
            if type is not None:
                _WRITTEN[log_group, instance] = type
    return {instance: _WRITTEN[log_group, instance] for instance in instances if (log_group, instance) in _WRITTEN}


def _written_type(logs: Any, log_group: str, instance: str) -> str | None:
    """Return the instance type in a replica's first line of figures."""
    try:
        found = logs.get_log_events(
            logGroupName=log_group, logStreamName=f"{instance}/figures", limit=1, startFromHead=True
        )
    except aws_failures() as error:
        if kind_of(error) == "credentials":
            raise
        return None
    try:
        said = json.loads(found["events"][0]["message"])["type"]
    except (IndexError, KeyError, TypeError, ValueError):
        return None
    return said if isinstance(said, str) and said else None
