"""AWS's own words: causes and messages of scaling activities, as the user guide and published activities have them.

Sources: the EC2 Auto Scaling user guide (lifecycle hooks, health checks, troubleshooting), its API reference, and
activities that people have quoted in public.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

REBALANCED = "an EC2 instance rebalance recommendation"
"""Its name in the user guide; AWS publishes no such activity."""
LONGEST_CAUSE = 1023
"""Characters (API reference, Activity)."""
DRAINING = "Waiting For ELB Connection Draining."
CREATED = "a user request created an AutoScalingGroup"
SET = "a user request explicitly set group desired capacity"
UNHEALTHY = {
    "ec2": "an EC2 health check indicating it has been terminated or stopped",
    "elb": "an ELB system health check failure",
    "user": "a user health-check",
}


def moment(now: float) -> datetime:
    """A time in seconds since 1970, as the API gives it."""
    return datetime.fromtimestamp(now, UTC)


def at(now: float, what: str) -> str:
    """A sentence of a cause."""
    return f"At {moment(now):%Y-%m-%dT%H:%M:%SZ} {what}."


def cause(*sentences: str | None) -> str:
    """A cause: sentences of `at`, without those that do not apply."""
    return "  ".join(sentence for sentence in sentences if sentence)[:LONGEST_CAUSE]


def constraints(who: str, minimum: int, maximum: int, desired: int) -> str:
    """A change of the sizes; who: `a user request` or `a scheduled action`."""
    return f"{who} update of AutoScalingGroup constraints to min: {minimum}, max: {maximum}, desired: {desired}"


def changing(request: str, before: int, after: int) -> str:
    """A request and what it did to the desired capacity."""
    return f"{request} changing the desired capacity from {before} to {after}"


def started(now: float, before: int, after: int) -> str:
    """Instances were started because there are too few."""
    why = "an instance was started in response to a difference between desired and actual capacity"
    return at(now, f"{why}, increasing the capacity from {before} to {after}")


def replaced(now: float) -> str:
    """An instance was started in place of an unhealthy one."""
    return at(now, "an instance was launched in response to an unhealthy instance needing to be replaced")


def refreshed(now: float) -> str:
    """An instance was started by an instance refresh."""
    return at(now, "an instance was launched in response to an instance refresh")


def rebalanced(now: float) -> str:
    """An instance was started in place of a spot instance that is at risk."""
    return at(now, f"an instance was launched in response to {REBALANCED}")


def taken_out(now: float, reason: str) -> str:
    """An instance is ended; reason: of `UNHEALTHY`, `REBALANCED`, or `an instance refresh`."""
    return at(now, f"an instance was taken out of service in response to {reason}")


def shrunk(now: float, before: int, after: int) -> str:
    """Instances are ended because there are too many."""
    reason = "a difference between desired and actual capacity"
    return taken_out(now, f"{reason}, shrinking the capacity from {before} to {after}")


def selected(now: float, instances: Sequence[str]) -> str:
    """The instances that are ended."""
    return "  ".join(at(now, f"instance {instance} was selected for termination") for instance in instances)


def asked_for(now: float, instance: str, what: str, shrinking: tuple[int, int] | None) -> str:
    """A user asked for one instance; what: `taken out of service`, `detached`, `moved to standby`."""
    by = "" if shrinking is None else f", shrinking the capacity from {shrinking[0]} to {shrinking[1]}"
    return at(now, f"instance {instance} was {what} in response to a user request{by}")


def no_capacity(type: str, zone: str, others: Sequence[str], *, spot: bool) -> str:
    """Why EC2 starts no instance of a type in a zone; others: the zones that have some."""
    if spot:
        words = (
            "Unable to fulfill capacity due to your request configuration. Please adjust your request and try again."
        )
        return f"UnfulfillableCapacity - {words}"
    words = (
        f"We currently do not have sufficient {type} capacity in the Availability Zone you requested ({zone}). Our "
        "system will be working on provisioning additional capacity."
    )
    if others:
        words += (
            f" You can currently get {type} capacity by not specifying an Availability Zone in your request or "
            f"choosing {', '.join(others)}."
        )
    return f"InsufficientInstanceCapacity - {words}"


def not_launched(message: str, *, mixed: bool, spot: bool) -> str:
    """The status message of a launch that failed."""
    if not mixed:
        message = message.partition(" - ")[2] or message
    kind = f"Could not launch {'Spot' if spot else 'On-Demand'} Instances. " if mixed else ""
    end = "" if message.endswith(".") else "."
    return f"{kind}{message}{end} Launching EC2 instance failed."


def never_served(reason: str) -> str:
    """The status message of a launch whose instance ended before it was in service."""
    return (
        f"Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: {reason}"
    )


def abandoned(token: str, *, timed_out: bool) -> str:
    """The status message of a launch that a lifecycle hook abandoned."""
    why = "Heartbeat Timeout" if timed_out else "Lifecycle Action Completed with ABANDON Result"
    action = f"Lifecycle Action with token {token} was abandoned: {why}"
    return f"Instance failed to complete user's Lifecycle Action: {action}"
