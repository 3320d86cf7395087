"""What the gateway's function needs of the account: room to run, and the layer it starts with."""

from __future__ import annotations

from typing import Any

from infra.planning import GatewayPlan
from infra.planning.adapter_layer import published_layer
from infra.preflight.aws_errors import aws_failures, error_code, in_words
from infra.preflight.clients import AwsClient
from infra.preflight.finding import Finding, ok, refusal, warning

CONCURRENCY = "Lambda concurrency"
CONCURRENCY_QUOTA = "L-B99A9384"
ENOUGH = 100
"""Requests in flight that a gateway of a few services should be able to take. New accounts have 10, others 1000."""
LAYER = "adapter layer"
_DENIED = ("AccessDenied", "AccessDeniedException")


def check_concurrency(aws: AwsClient, region: str) -> list[Finding]:
    """How many requests the gateway can have in flight. Raises what boto3 raises where AWS does not answer."""
    limits: Any = aws("lambda", region).get_account_settings()["AccountLimit"]
    all_of_it, free = int(limits["ConcurrentExecutions"]), int(limits["UnreservedConcurrentExecutions"])
    state = f"{free} functions may run at once" + ("" if free == all_of_it else f", of {all_of_it} with the reserved")
    ask = (
        f"ask for 1000 (quota Concurrent executions, {CONCURRENCY_QUOTA}): aws service-quotas "
        f"request-service-quota-increase --service-code lambda --quota-code {CONCURRENCY_QUOTA} --desired-value 1000 "
        f"--region {region}"
    )
    if free == 0:
        return [refusal(CONCURRENCY, f"{state}, so that no request would be answered: release reserved ones, or {ask}")]
    if free < ENOUGH:
        return [
            warning(
                CONCURRENCY,
                f"{state}, and a request in flight takes one, a stream until its end: the next gets 500; {ask}",
            )
        ]
    return [ok(CONCURRENCY, f"{state}, each of them one request in flight")]


def check_layer(aws: AwsClient, plan: GatewayPlan) -> list[Finding]:
    """Whether the function could be made with the web adapter's layer; planning refuses a region that has none."""
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
            remedy += ", or allow the caller lambda:GetLayerVersion, which making the function takes too"
        return [refusal(LAYER, f"{arn} cannot be read ({in_words(error)}): {remedy}")]
    architectures: list[str] = found.get("CompatibleArchitectures") or ["arm64"]
    if "arm64" not in architectures:
        return [refusal(LAYER, f"{arn} is for {', '.join(architectures)}, and the function runs on arm64")]
    return [ok(LAYER, arn)]
