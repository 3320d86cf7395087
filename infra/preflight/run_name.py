"""The gateway's registry: whether the run name is free, and whether there is room for another service."""

from __future__ import annotations

from infra.planning.table_items import OWNER, PARTITION_KEY, REGISTRY, SORT_KEY
from infra.preflight.aws_errors import aws_failures, collected, error_code
from infra.preflight.clients import AwsClient
from infra.preflight.finding import Finding, ok, refusal

TOPIC = "run name"
SERVICES = "services"
MOST_SERVICES = 100
"""Target groups that a load balancer takes; AWS raises it for nobody (elasticloadbalancing/application, quotas)."""
_CLAIM = "claim#"


def check_registry(aws: AwsClient, region: str, table: str, run: str, owner: str) -> list[Finding]:
    """Findings about the claims in the table. Raises what boto3 raises where AWS does not answer.

    `owner`: full name of the service's stack.
    """
    try:
        claims = _claims(aws, region, table)
    except aws_failures() as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        return [refusal(TOPIC, f"the gateway's table {table} is not in {region} any more: deploy the gateway again")]
    return [_name(claims, run, owner), _count(claims, run)]


def _claims(aws: AwsClient, region: str, table: str) -> dict[str, str]:
    """The owner of each run."""
    return {
        item[SORT_KEY]["S"].removeprefix(_CLAIM): item.get(OWNER, {}).get("S", "")
        for item in collected(
            aws("dynamodb", region).query,
            "Items",
            token="LastEvaluatedKey",  # noqa: S106
            resume="ExclusiveStartKey",
            TableName=table,
            KeyConditionExpression=f"{PARTITION_KEY} = :registry AND begins_with({SORT_KEY}, :claim)",
            ExpressionAttributeValues={":registry": {"S": REGISTRY}, ":claim": {"S": _CLAIM}},
            ConsistentRead=True,
        )
    }


def _name(claims: dict[str, str], run: str, owner: str) -> Finding:
    taken_by = claims.get(run)
    if taken_by is None:
        return ok(TOPIC, f"{run} is free")
    if taken_by == owner:
        return ok(TOPIC, f"{run} is this stack's")
    return refusal(
        TOPIC,
        f"{run} is taken by the stack {taken_by}: set another name in the configuration, or destroy that stack; if "
        "this stack was called so, skip preflight once",
    )


def _count(claims: dict[str, str], run: str) -> Finding:
    count = len(claims)
    if run not in claims and count >= MOST_SERVICES:
        return refusal(
            SERVICES,
            f"the gateway has {count} services, and a load balancer takes {MOST_SERVICES}: destroy one, or make "
            "another gateway with a domain of its own",
        )
    return ok(SERVICES, f"{count} of the gateway's {MOST_SERVICES} are taken")
