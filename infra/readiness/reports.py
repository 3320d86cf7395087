"""What is said at the end of a failed wait: the cause, the remedy, where the logs are, what is billed."""

from __future__ import annotations

from infra.preflight.account import explain_credentials
from infra.preflight.aws_errors import in_words, kind_of
from infra.readiness.awaited import Awaited
from infra.readiness.verdict import Failure


def not_serving(awaited: Awaited, failure: Failure, billed: str) -> str:
    """It does not serve. `billed`: what is, now."""
    lines = [f"{awaited.run} does not serve: {failure.what}"]
    if failure.remedy is not None:
        lines.append(f"  remedy: {failure.remedy}")
    if failure.instance is not None:
        step = f", which came as far as: {failure.step}" if failure.step else ""
        lines.append(f"  replica: {failure.instance}{step}")
        lines.append(
            f"  logs: aws logs tail {awaited.log_group} --log-stream-names {failure.instance}/boot "
            f"{failure.instance}/container --since 1d --region {awaited.region}"
        )
    return "\n".join([*lines, f"  {billed}"])


def kept(awaited: Awaited, failure: Failure) -> str:
    """What is billed where `on_failure` is `keep`, and how a replica that gave up is exchanged."""
    billed = "on_failure is keep: replicas go on, and are billed."
    if failure.instance is None:
        return billed
    return (
        f"{billed} To have another started in its place: aws ec2 terminate-instances --instance-ids {failure.instance} "
        f"--region {awaited.region}"
    )


def gone(awaited: Awaited) -> str:
    """There is no group."""
    return (
        f"{awaited.run} does not serve: its Auto Scaling group {awaited.group} does not exist in {awaited.region}\n"
        "  remedy: run pulumi up --refresh"
    )


def unknown(awaited: Awaited, error: Exception) -> str:
    """AWS does not say whether it serves, and nothing was stopped."""
    match kind_of(error):
        case "credentials":
            what, remedy = explain_credentials(error), "then run pulumi up or make wait again"
        case "denied":
            what = f"the AWS credentials may not ask or do this ({in_words(error)})"
            remedy = "allow it, and run pulumi up again"
        case "passing":
            what, remedy = f"AWS does not answer ({in_words(error)})", "run pulumi up again later"
        case "other":
            what, remedy = f"AWS refuses ({in_words(error)})", "run pulumi up --refresh"
    return f"it is not known whether {awaited.run} serves: {what}\n  remedy: {remedy}\n  {going_on(awaited)}"


def going_on(awaited: Awaited) -> str:
    """Nothing was stopped, and how it is done by hand."""
    return f"Nothing was stopped: replicas go on, and are billed. {by_hand(awaited)}"


def by_hand(awaited: Awaited) -> str:
    """The command that ends every replica."""
    return (
        f"Stop them with: aws autoscaling update-auto-scaling-group --auto-scaling-group-name {awaited.group} "
        f"--min-size 0 --desired-capacity 0 --region {awaited.region}"
    )
