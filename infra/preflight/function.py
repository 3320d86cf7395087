"""What the gateway's function needs in the account: room to run, and the layer that it starts with."""

from __future__ import annotations

from typing import Any

from infra.planning import GatewayPlan
from infra.planning.adapter_layer import published_layer
from infra.planning.resource_tags import STACK_TAG
from infra.preflight.aws_errors import aws_failures, error_code, in_words
from infra.preflight.clients import AwsClient
from infra.preflight.finding import Finding, ok, refusal, warning

CONCURRENCY = "Lambda concurrency"
CONCURRENCY_QUOTA = "L-B99A9384"
ENOUGH = 100
"""Requests in flight that a gateway of a few services should be able to take. New accounts have 10, others 1000."""
UNRESERVED = 100
"""Instances that no function can reserve (lambda/latest/dg/configuration-concurrency.html)."""
LAYER = "adapter layer"
_DENIED = ("AccessDenied", "AccessDeniedException")


def check_concurrency(aws: AwsClient, plan: GatewayPlan, owner: str) -> list[Finding]:
    """How many requests the gateway can have in flight. Raises what boto3 raises where AWS does not answer.

    `owner`: full name of the gateway's stack. What this stack reserves already counts as available to it.
    """
    region = plan.region
    limits: Any = aws("lambda", region).get_account_settings()["AccountLimit"]
    all_of_it, free = int(limits["ConcurrentExecutions"]), int(limits["UnreservedConcurrentExecutions"])
    state = f"{free} function instances can run at once"
    state += "" if free == all_of_it else f"; the account has {all_of_it}, and the others are reserved"
    ask = _ask(1000, region)
    if plan.reserved_concurrency is not None:
        if plan.reserved_concurrency > free - UNRESERVED:
            free += _reserved_already(aws, region, owner)
        return [_reserving(plan.reserved_concurrency, all_of_it, free, region)]
    if free == 0:
        return [refusal(CONCURRENCY, f"{state}, so no request would be answered: release reservations, or {ask}")]
    if free < ENOUGH:
        return [
            warning(
                CONCURRENCY,
                f"{state}. A request takes one until its answer has ended, and one request more gets 500: {ask}",
            )
        ]
    return [ok(CONCURRENCY, f"{state}, each with one request")]


def _reserving(wanted: int, all_of_it: int, free: int, region: str) -> Finding:
    """`free`: instances that no other function has reserved."""
    most = max(0, free - UNRESERVED)
    if wanted <= most:
        left = f"{free - wanted} of the account's {all_of_it} stay for other functions"
        reserved = f"{wanted} are reserved for the gateway, which is its limit of requests at once"
        return ok(CONCURRENCY, f"{reserved}; {left}")
    lower = f"set reserved_concurrency to {most} or less" if most else "remove reserved_concurrency"
    return refusal(
        CONCURRENCY,
        f"reserved_concurrency is {wanted}, but at most {most} can be reserved: the account runs {all_of_it} function "
        f"instances at once, others reserve {all_of_it - free}, and {UNRESERVED} must stay unreserved; {lower}, "
        f"release other reservations, or {_ask(wanted + all_of_it - free + UNRESERVED, region)}",
    )


def _reserved_already(aws: AwsClient, region: str, owner: str) -> int:
    """What this stack's function reserves now. The function is found by its tag."""
    tagged: Any = aws("resourcegroupstaggingapi", region).get_resources(
        TagFilters=[{"Key": STACK_TAG, "Values": [owner]}], ResourceTypeFilters=["lambda:function"]
    )["ResourceTagMappingList"]
    asked = [aws("lambda", region).get_function_concurrency(FunctionName=one["ResourceARN"]) for one in tagged]
    return sum(int(one.get("ReservedConcurrentExecutions", 0)) for one in asked)


def _ask(wanted: int, region: str) -> str:
    return (
        f"ask for {wanted} (quota Concurrent executions, {CONCURRENCY_QUOTA}): aws service-quotas "
        f"request-service-quota-increase --service-code lambda --quota-code {CONCURRENCY_QUOTA} --desired-value "
        f"{wanted} --region {region}"
    )


def check_layer(aws: AwsClient, plan: GatewayPlan) -> list[Finding]:
    """Whether the function can have the web adapter's layer. Planning refuses a region without one."""
    arn = plan.adapter_layer or published_layer(plan.region)
    if arn is None:
        return []
    try:
        found: Any = aws("lambda", plan.region).get_layer_version_by_arn(Arn=arn)
    except aws_failures() as error:
        if error_code(error) not in (*_DENIED, "InvalidParameterValueException", "ResourceNotFoundException"):
            raise
        remedy = "correct adapter_layer" if plan.adapter_layer else "set adapter_layer to a copy of your own"
        if error_code(error) in _DENIED:
            remedy += ", or allow lambda:GetLayerVersion, which creating the function needs too"
        return [refusal(LAYER, f"{arn} cannot be read ({in_words(error)}): {remedy}")]
    architectures: list[str] = found.get("CompatibleArchitectures") or ["arm64"]
    if "arm64" not in architectures:
        return [
            refusal(
                LAYER,
                f"{arn} is for {', '.join(architectures)}, but the function runs on arm64: set adapter_layer to one "
                "for arm64",
            )
        ]
    return [ok(LAYER, arn)]
