"""The reports of a failed wait: what happened and why, what is still billed, then what to do."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from infra.preflight.account import explain_credentials
from infra.preflight.aws_errors import in_words, kind_of
from infra.readiness.awaited import Awaited
from infra.readiness.verdict import Failure

_OTHERS = " The replicas of the other groups are left as they are. Those that run are billed; pulumi destroy ends them."


def not_serving(awaited: Awaited, failure: Failure, billed: str, written: Sequence[str] = ()) -> str:
    """The report of a service that does not serve. `billed`: what is billed now. `written`: what the container wrote,
    with which the report ends."""
    lines = [f"{awaited.title} does not serve: {failure.what}"]
    if failure.instance is not None:
        step = f", last step: {failure.step}" if failure.step else ""
        lines.append(f"  replica: {failure.instance}{step}")
    lines.append(f"  billing: {billed}{_OTHERS if awaited.replica_group else ''}")
    if failure.remedy is not None:
        lines.append(f"  remedy: {failure.remedy}")
    if failure.instance is not None:
        lines.append(
            f'  logs: make logs STACK={shlex.quote(awaited.stack)} ARGS="--replica {failure.instance} --since 1d"'
        )
    return "\n".join([*lines, *written])


def kept(awaited: Awaited, failure: Failure) -> str:
    """What is billed when `on_failure` is `keep`, and how to replace a replica that gave up."""
    billed = (
        "on_failure is keep, so the replicas keep running and are billed. A replica that does not serve within "
        "boot_timeout replaces itself."
    )
    if failure.instance is None:
        return billed
    return (
        f"{billed} Replace this one now with: aws ec2 terminate-instances --instance-ids {failure.instance} "
        f"--region {awaited.region}"
    )


def gone(awaited: Awaited) -> str:
    """The report of a service whose group does not exist."""
    return (
        f"{awaited.title} does not serve: its Auto Scaling group {awaited.group} does not exist in {awaited.region}\n"
        "  remedy: run pulumi up --refresh"
    )


def unknown(awaited: Awaited, error: Exception) -> str:
    """The report of a wait that ends because AWS does not say whether the service serves. Nothing was stopped."""
    match kind_of(error):
        case "credentials":
            what, remedy = explain_credentials(error), "solve this, then run pulumi up or make wait again"
        case "denied":
            what = f"the AWS credentials do not allow this call ({in_words(error)})"
            remedy = "allow it, then run pulumi up again"
        case "passing":
            what, remedy = f"AWS does not answer ({in_words(error)})", "run pulumi up again later"
        case "other":
            what, remedy = f"AWS refuses ({in_words(error)})", "run pulumi up --refresh"
    return f"it is not known whether {awaited.title} serves: {what}\n  billing: {going_on(awaited)}\n  remedy: {remedy}"


def going_on(awaited: Awaited) -> str:
    """That nothing was stopped, and the command that stops it."""
    return f"Nothing was stopped: the replicas keep running and are billed. {by_hand(awaited)}"


def by_hand(awaited: Awaited) -> str:
    """The command that ends every replica, in a sentence."""
    return (
        f"Stop them with: aws autoscaling update-auto-scaling-group --auto-scaling-group-name {awaited.group} "
        f"--min-size 0 --desired-capacity 0 --region {awaited.region}"
    )
