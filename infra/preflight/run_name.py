"""The gateway's registry: whether the run name and the model name are free, and whether there is room for a service."""

from __future__ import annotations

import json
from collections.abc import Mapping

from infra.planning import ServicePlan
from infra.planning.model_names import Registered, WantedName, claimed, read_registered
from infra.planning.resource_tags import STACK_TAG
from infra.planning.table_items import CLAIM, PARTITION_KEY, REGISTRY, RUN, SORT_KEY
from infra.preflight.aws_errors import aws_failures, error_code
from infra.preflight.clients import AwsClient
from infra.preflight.finding import Finding, ok, refusal
from infra.preflight.registry import registry_items

TOPIC = "run name"
MODEL = "model name"
SERVICES = "services"
MOST_SERVICES = 100
"""Target groups that a load balancer takes. AWS does not raise this quota (elasticloadbalancing quotas)."""


def check_registry(aws: AwsClient, region: str, table: str, plan: ServicePlan, owner: str) -> list[Finding]:
    """Return findings about the claims in the table. Raises what boto3 raises when AWS does not answer.

    `owner`: full name of the service's stack.
    """
    try:
        registered = read_registered(registry_items(aws("dynamodb", region), table))
    except aws_failures() as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        gone = f"the gateway's table {table} does not exist any more in {region}"
        return [refusal(TOPIC, f"{gone}: deploy the gateway again")]
    return [
        _name(registered, plan.run, owner, table, region),
        *_model(registered, plan, owner),
        _count(registered.runs, plan.run),
    ]


def taken(run: str, owner: str) -> str:
    """Return the refusal of a run name that the stack `owner` has."""
    return f"the stack {owner} has the name {run}: set another `name` in the configuration, or destroy that stack"


def left_behind(run: str, owner: str, table: str, region: str) -> str:
    """Return the refusal of a run name whose claim names this stack, although the state of the stack has no claim."""
    deletes = "; ".join(_delete(f"{prefix}{run}", table, region) for prefix in (RUN, CLAIM))
    return (
        f"the gateway's table has a claim of {owner} for the name {run}, but the state of this stack does not have it: "
        "pulumi stack rm --force removed the state and left the resources, and instances that still run cost money. "
        "List what is left: aws resourcegroupstaggingapi get-resources --tag-filters "
        f"Key={STACK_TAG},Values={owner} --region {region}. Delete it, then the run: {deletes}"
    )


def _delete(sort: str, table: str, region: str) -> str:
    """The command that deletes an item of the registry."""
    key = json.dumps({PARTITION_KEY: {"S": REGISTRY}, SORT_KEY: {"S": sort}})
    return f"aws dynamodb delete-item --table-name {table} --key '{key}' --region {region}"


def _name(registered: Registered, run: str, owner: str, table: str, region: str) -> Finding:
    taken_by = registered.runs.get(run)
    if taken_by is None:
        return ok(TOPIC, f"{run} is free")
    if taken_by == owner:
        own = f"{run} is claimed by {owner}, the name of this stack"
        if run in registered.routed:
            return ok(TOPIC, own)
        return ok(
            TOPIC,
            f"{own}, and no deployment of it was completed. If this one fails with ConditionalCheckFailedException, "
            f"the state of the stack lacks the claim (docs/deploying.md): {_delete(CLAIM + run, table, region)}",
        )
    remedy = "if this stack had that name before, skip preflight once: pulumi config set preflight false"
    return refusal(TOPIC, f"{taken(run, taken_by)}; {remedy}")


def _model(registered: Registered, plan: ServicePlan, owner: str) -> list[Finding]:
    if plan.model is None:
        return []
    wanted = WantedName(model=plan.model.name, run=plan.run, owner=owner, shared=plan.weight is not None)
    claim, refused = claimed(registered, wanted)
    if refused is not None:
        return [refusal(MODEL, refused)]
    others = [holder.run for holder in claim.holders if holder.owner != owner]
    if others:
        return [ok(MODEL, f"{wanted.model} is shared with {', '.join(others)}")]
    before = registered.claims.get(wanted.model)
    had = [holder.run for holder in before.holders] if before else registered.served.get(wanted.model, ())
    return [ok(MODEL, f"{wanted.model} {'belongs to this stack' if wanted.run in had else 'is free'}")]


def _count(claims: Mapping[str, str], run: str) -> Finding:
    count = len(claims)
    if run not in claims and count >= MOST_SERVICES:
        return refusal(
            SERVICES,
            f"the gateway has {count} services, and its load balancer takes at most {MOST_SERVICES}: destroy one, or "
            "deploy another gateway with its own domain",
        )
    return ok(SERVICES, f"the gateway has {count} of at most {MOST_SERVICES}")
