"""What can exist only once: the gateway's domain, its name, and the role for API Gateway's logs."""

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
    """Whether the domain is free or belongs to this stack. API Gateway takes a domain once in a region. No finding
    without a domain. `owner`: full name of the gateway's stack. Raises what boto3 raises when AWS does not answer."""
    if plan.domain is None:
        return []
    name = f"*.{plan.domain}"
    found = _custom_domain(aws, plan.region, name)
    if found is None:
        return [ok(DOMAIN, f"{name} is free in this account")]
    stack = found.get("tags", {}).get(STACK_TAG)
    if stack == owner:
        return [ok(DOMAIN, f"{name} belongs to this stack")]
    holder = f"the gateway of the stack {stack}" if stack else "something else"
    remedy = f"delete the custom domain name {name} in API Gateway"
    if stack:
        remedy = (
            "destroy that stack; if this stack had that name before, skip preflight once: pulumi config set preflight "
            "false"
        )
    return [
        refusal(
            DOMAIN,
            f"{name} already belongs to {holder} in {plan.region}, and a domain has one gateway: set another domain, "
            f"such as staging.{plan.domain}, or {remedy}",
        )
    ]


def check_name(aws: AwsClient, plan: GatewayPlan) -> list[Finding]:
    """A refusal if the gateway's name points to something else, such as a gateway in another region. Raises what boto3
    raises."""
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
            f"{name} already has a DNS record that points elsewhere, perhaps to a gateway in another region: set "
            f"another domain, such as {plan.region}.{plan.domain}, or delete the record",
        )
    ]


def check_role(aws: AwsClient, plan: GatewayPlan) -> list[Finding]:
    """Whether the API can write its access log although this stack does not manage the region's setting. No finding if
    it does. Raises what boto3 raises."""
    if plan.manage_api_gateway_account:
        return []
    account: Any = aws("apigateway", plan.region).get_account()
    if role := account.get("cloudwatchRoleArn"):
        return [ok(ROLE, str(role))]
    return [
        refusal(
            ROLE,
            f"manage_api_gateway_account is false, but the account has no such role in {plan.region}, so the API "
            "cannot write its access log: remove manage_api_gateway_account, or run aws apigateway update-account "
            f"--patch-operations op=replace,path=/cloudwatchRoleArn,value=ROLE_ARN --region {plan.region}",
        )
    ]


def _custom_domain(aws: AwsClient, region: str, name: str) -> Any:
    """What API Gateway says about a custom domain name; `None`: it does not exist."""
    try:
        return aws("apigateway", region).get_domain_name(domainName=name)
    except aws_failures() as error:
        if error_code(error) != "NotFoundException":
            raise
        return None
