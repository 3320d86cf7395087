"""What there can be once and is there already: the gateway's domain and name, and the role for API Gateway's logs."""

from __future__ import annotations

from typing import Any

from infra.planning import GatewayPlan
from infra.planning.resource_tags import STACK_TAG
from infra.preflight.aws_errors import aws_failures, error_code
from infra.preflight.clients import AwsClient
from infra.preflight.finding import Finding, ok, refusal
from infra.preflight.zone import find_zone

DOMAIN = "domain"
NAME = "gateway's name"
ROLE = "API Gateway's log role"


def check_domain(aws: AwsClient, plan: GatewayPlan, owner: str) -> list[Finding]:
    """Whether the domain is free, which a domain is once in a region of all accounts, or this stack's; none without a
    domain. `owner`: full name of the gateway's stack. Raises what boto3 raises where AWS does not answer."""
    if plan.domain is None:
        return []
    name = f"*.{plan.domain}"
    found = _custom_domain(aws, plan.region, name)
    if found is None:
        return [ok(DOMAIN, f"{name} is free in this account")]
    stack = found.get("tags", {}).get(STACK_TAG)
    if stack == owner:
        return [ok(DOMAIN, f"{name} is this stack's")]
    holder = f"the gateway of the stack {stack}" if stack else "something else"
    remedy = f"delete the custom domain name {name} in API Gateway"
    if stack:
        remedy = "destroy that stack; if this stack was called so, skip preflight once"
    return [
        refusal(
            DOMAIN,
            f"{name} leads to {holder} in {plan.region} already, and there is one gateway for a domain: set another "
            f"domain, such as staging.{plan.domain}, or {remedy}",
        )
    ]


def check_name(aws: AwsClient, plan: GatewayPlan) -> list[Finding]:
    """A refusal where the gateway's name leads elsewhere, as to a gateway in another region; else nothing. Raises what
    boto3 raises."""
    if plan.domain is None:
        return []
    route53 = aws("route53", plan.region)
    zone = find_zone(route53, plan.domain, plan.zone_id)
    if isinstance(zone, Finding):
        return []
    name = f"gateway.{plan.domain}"
    there: Any = route53.list_resource_record_sets(
        HostedZoneId=zone["Id"], StartRecordName=name, StartRecordType="A", MaxItems="10"
    )["ResourceRecordSets"]
    records: list[Any] = [one for one in there if one["Name"] == f"{name}." and one["Type"] in ("A", "CNAME")]
    own = _custom_domain(aws, plan.region, f"*.{plan.domain}")
    target = None if own is None else own.get("regionalDomainName")
    if all(one.get("AliasTarget", {}).get("DNSName", "").rstrip(".").lower() == target for one in records):
        return []
    return [
        refusal(
            NAME,
            f"{name} has a record already that leads elsewhere, perhaps to a gateway of another region: set another "
            f"domain, such as {plan.region}.{plan.domain}, or delete the record",
        )
    ]


def check_role(aws: AwsClient, plan: GatewayPlan) -> list[Finding]:
    """Whether the API could write its access log where the region's setting is not the stack's; nothing where it is.
    Raises what boto3 raises."""
    if plan.manage_api_gateway_account:
        return []
    account: Any = aws("apigateway", plan.region).get_account()
    if role := account.get("cloudwatchRoleArn"):
        return [ok(ROLE, str(role))]
    return [
        refusal(
            ROLE,
            f"manage_api_gateway_account is false, and {plan.region} has none, so that the API could not write its "
            "access log: remove manage_api_gateway_account, or run aws apigateway update-account --patch-operations "
            f"op=replace,path=/cloudwatchRoleArn,value=ROLE_ARN --region {plan.region}",
        )
    ]


def _custom_domain(aws: AwsClient, region: str, name: str) -> Any:
    """What API Gateway says of a custom domain name; `None`: it has none of this name."""
    try:
        return aws("apigateway", region).get_domain_name(domainName=name)
    except aws_failures() as error:
        if error_code(error) != "NotFoundException":
            raise
        return None
