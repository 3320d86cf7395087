"""Ending the spending of a service that does not serve, and saying what is still billed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from infra.preflight.aws_errors import aws_failures, error_code, in_words, kind_of
from infra.readiness.awaited import Awaited
from infra.readiness.clients import Clients, Clock
from infra.readiness.reports import by_hand
from infra.readiness.seen import FROZEN, Seen
from infra.readiness.verdict import healthy_replicas

STOPPING = 300.0
"""Seconds for which instances are watched while they end: EC2 bills them until then, and most take two minutes."""
ATTEMPTS = 5
PAUSE = 10.0
"""Seconds between two attempts, and two looks."""
_NOT_ENDED = ("pending", "running", "stopping", "stopped")


def stop(awaited: Awaited, clients: Clients, clock: Clock, last: Seen) -> str:
    """Sets the group to zero and says so, in a sentence or two.

    Replicas of another version that still serve are left alone: a failed update does not end a service. Then no
    further instance is started, and those that do not serve are ended.
    """
    serving = {replica.instance for replica in healthy_replicas(last)}
    draining = {target.instance for target in last.targets if target.state == "draining"}
    idle = [replica.instance for replica in last.group.replicas if replica.instance not in serving | draining]
    if serving:
        return _freeze(awaited, clients, clock, idle, len(serving))
    return _empty(awaited, clients, clock, idle)


def release(group: str, clients: Clients) -> None:
    """Lets a group start and end instances by itself again, if a failed update has frozen it. Raises boto3's errors."""
    clients.autoscaling.resume_processes(AutoScalingGroupName=group, ScalingProcesses=FROZEN)


def _empty(awaited: Awaited, clients: Clients, clock: Clock, idle: list[str]) -> str:
    """Sets the group to zero. It would end its instances too, but only when they have been out of the load balancer for
    as long as requests may take: 15 minutes, billed, for instances that answer nobody."""
    try:
        _attempt(
            clock,
            lambda: clients.autoscaling.update_auto_scaling_group(
                AutoScalingGroupName=awaited.group, MinSize=0, DesiredCapacity=0
            ),
        )
    except aws_failures() as error:
        return f"NOT STOPPED ({in_words(error)}): its replicas are running and billed. {by_hand(awaited)}"
    _cancel_refresh(awaited, clients)
    with contextlib.suppress(*aws_failures()):
        _terminate(clients, clock, idle)
    left = _watch(awaited, clients, clock)
    if left is None:
        return "The group was set to zero; whether its instances have ended could not be asked."
    if left:
        return f"The group was set to zero; {', '.join(left)} is still ending, and billed until then."
    return "The group was set to zero and its instances have ended: nothing of it is billed any more."


def _freeze(awaited: Awaited, clients: Clients, clock: Clock, idle: list[str], serving: int) -> str:
    """First nothing more happens by itself, so that no other instance is ended than those that do not serve."""
    frozen = ""
    try:
        _attempt(
            clock,
            lambda: clients.autoscaling.suspend_processes(AutoScalingGroupName=awaited.group, ScalingProcesses=FROZEN),
        )
        frozen = " The group starts and ends nothing by itself until pulumi up or make wait waits for it again."
        _terminate(clients, clock, idle)
    except aws_failures() as error:
        stopped = f"NOT STOPPED ({in_words(error)}): {_still(serving)} billed as before"
        if not idle:
            return f"{stopped}."
        return (
            f"{stopped}, and so may be those that do not.{frozen} End them with: aws ec2 terminate-instances "
            f"--instance-ids {' '.join(idle)} --region {awaited.region}"
        )
    _cancel_refresh(awaited, clients)
    for instance in idle:
        _forget(awaited, clients, instance)
    return f"{_still(serving)} billed as before. The others are ended.{frozen}"


def _terminate(clients: Clients, clock: Clock, instances: list[str]) -> None:
    """One by one: a call that names one which is gone ends none."""
    for instance in instances:
        try:
            _attempt(clock, lambda name=instance: clients.ec2.terminate_instances(InstanceIds=[name]))
        except aws_failures() as error:
            if not error_code(error).startswith("InvalidInstanceID"):
                raise


def _forget(awaited: Awaited, clients: Clients, instance: str) -> None:
    """Takes an instance that is ending out of the group, which keeps it while `Terminate` is suspended, and would have
    one too many when it no longer is. One that has not yet come into service cannot be taken out."""
    with contextlib.suppress(*aws_failures()):
        clients.autoscaling.detach_instances(
            AutoScalingGroupName=awaited.group, InstanceIds=[instance], ShouldDecrementDesiredCapacity=False
        )


def _cancel_refresh(awaited: Awaited, clients: Clients) -> None:
    """There may be none, and one that goes on replaces nothing in a group that is empty or frozen."""
    with contextlib.suppress(*aws_failures()):
        clients.autoscaling.cancel_instance_refresh(
            AutoScalingGroupName=awaited.group, WaitForTransitioningInstances=False
        )


def _watch(awaited: Awaited, clients: Clients, clock: Clock) -> list[str] | None:
    """Instances that have not ended after a while; `None`: AWS does not say."""
    end = clock.now() + STOPPING
    while True:
        try:
            left = _not_ended(awaited, clients)
        except aws_failures() as error:
            if kind_of(error) != "passing" or clock.now() >= end:
                return None
        else:
            if not left or clock.now() >= end:
                return left
        clock.sleep(PAUSE)


def _not_ended(awaited: Awaited, clients: Clients) -> list[str]:
    found: Any = clients.ec2.describe_instances(
        Filters=[
            {"Name": "tag:aws:autoscaling:groupName", "Values": [awaited.group]},
            {"Name": "instance-state-name", "Values": list(_NOT_ENDED)},
        ]
    )
    return sorted(one["InstanceId"] for reservation in found["Reservations"] for one in reservation["Instances"])


def _attempt(clock: Clock, act: Callable[[], object]) -> None:
    """Does it, again where AWS has too much to do. Raises what the last attempt ended with."""
    for _ in range(ATTEMPTS - 1):
        try:
            act()
        except aws_failures() as error:
            if kind_of(error) != "passing":
                raise
            clock.sleep(PAUSE)
        else:
            return
    act()


def _still(count: int) -> str:
    if count == 1:
        return "1 replica of the version before still serves and is"
    return f"{count} replicas of the version before still serve and are"
