"""Stop the billed instances of a service that does not serve, and say what is still billed."""

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
"""Seconds to watch instances while they end: EC2 bills them until they have ended, and most need two minutes."""
ATTEMPTS = 5
PAUSE = 10.0
"""Seconds between two attempts, and between two looks."""
_NOT_ENDED = ("pending", "running", "stopping", "stopped")


def stop(awaited: Awaited, clients: Clients, clock: Clock, last: Seen) -> str:
    """Set the group to zero, and return one or two sentences about what is still billed.

    A failed update does not end a service: replicas of another version that still serve are left alone. In that case,
    the instances that do not serve are ended and the group starts no further ones.
    """
    serving = {replica.instance for replica in healthy_replicas(last)}
    draining = {target.instance for target in last.targets if target.state == "draining"}
    idle = [replica.instance for replica in last.group.replicas if replica.instance not in serving | draining]
    if serving:
        return _freeze(awaited, clients, clock, idle, len(serving))
    return _empty(awaited, clients, clock, idle)


def release(group: str, clients: Clients) -> None:
    """Let a group start and end instances by itself again if a failed update has frozen it. Raises boto3's errors."""
    clients.autoscaling.resume_processes(AutoScalingGroupName=group, ScalingProcesses=FROZEN)


def _empty(awaited: Awaited, clients: Clients, clock: Clock, idle: list[str]) -> str:
    """Set the group to zero and end its instances.

    The group also ends its instances, but only 15 minutes later: it first waits as long as a request can take. These
    instances answer no requests, and would be billed during that time.
    """
    try:
        _attempt(
            clock,
            lambda: clients.autoscaling.update_auto_scaling_group(
                AutoScalingGroupName=awaited.group, MinSize=0, DesiredCapacity=0
            ),
        )
    except aws_failures() as error:
        return f"NOT STOPPED ({in_words(error)}): the replicas keep running and are billed. {by_hand(awaited)}"
    _cancel_refresh(awaited, clients)
    with contextlib.suppress(*aws_failures()):
        _terminate(clients, clock, idle)
    left = _watch(awaited, clients, clock)
    if left is None:
        return (
            "The group is set to zero. AWS does not say whether its instances have ended; they are billed until then."
        )
    if left:
        return f"The group is set to zero. Instances that are still ending, and billed until then: {', '.join(left)}."
    return "The group is set to zero and its instances have ended. They are no longer billed."


def _freeze(awaited: Awaited, clients: Clients, clock: Clock, idle: list[str], serving: int) -> str:
    """Suspend the group first, so that it ends no instance that serves. Then end the instances that do not serve."""
    frozen = ""
    try:
        _attempt(
            clock,
            lambda: clients.autoscaling.suspend_processes(AutoScalingGroupName=awaited.group, ScalingProcesses=FROZEN),
        )
        frozen = " The group starts and ends no instances by itself until you run pulumi up or make wait again."
        _terminate(clients, clock, idle)
    except aws_failures() as error:
        stopped = f"NOT STOPPED ({in_words(error)}): {_still(serving)} billed as before"
        if not idle:
            return f"{stopped}."
        return (
            f"{stopped}.{frozen} Replicas that do not serve may be billed too. End them with: aws ec2 "
            f"terminate-instances --instance-ids {' '.join(idle)} --region {awaited.region}"
        )
    _cancel_refresh(awaited, clients)
    for instance in idle:
        _forget(awaited, clients, instance)
    ended = {0: "", 1: " The other replica is ended."}.get(len(idle), f" The other {len(idle)} replicas are ended.")
    return f"{_still(serving)} billed as before.{ended}{frozen}"


def _terminate(clients: Clients, clock: Clock, instances: list[str]) -> None:
    """End instances one by one: a call that names an instance that no longer exists ends none of them."""
    for instance in instances:
        try:
            _attempt(clock, lambda name=instance: clients.ec2.terminate_instances(InstanceIds=[name]))
        except aws_failures() as error:
            if not error_code(error).startswith("InvalidInstanceID"):
                raise


def _forget(awaited: Awaited, clients: Clients, instance: str) -> None:
    """Detach an instance that is ending from the group.

    The group keeps it while `Terminate` is suspended, and has one instance too many afterwards. An instance that is not
    in service yet cannot be detached.
    """
    with contextlib.suppress(*aws_failures()):
        clients.autoscaling.detach_instances(
            AutoScalingGroupName=awaited.group, InstanceIds=[instance], ShouldDecrementDesiredCapacity=False
        )


def _cancel_refresh(awaited: Awaited, clients: Clients) -> None:
    """Cancel the group's instance refresh. Errors are ignored, because a refresh does nothing in an empty or frozen
    group."""
    with contextlib.suppress(*aws_failures()):
        clients.autoscaling.cancel_instance_refresh(
            AutoScalingGroupName=awaited.group, WaitForTransitioningInstances=False
        )


def _watch(awaited: Awaited, clients: Clients, clock: Clock) -> list[str] | None:
    """Return the instances that have not ended after a while; `None`: AWS does not say."""
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
    """Call `act`, and again while AWS is busy. Raises the error of the last attempt."""
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
        return "1 replica of the previous version still serves and is"
    return f"{count} replicas of the previous version still serve and are"
