"""What API Gateway may have already, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest

from infra.preflight import api
from tests.preflight.canned import CannedAws, Refused
from tests.preflight.plans import gateway_plan

OWNER = "organization/servestack/gateway"
TARGET = "d-0123456789.execute-api.us-east-1.amazonaws.com"
FREE = Refused("NotFoundException", "Invalid domain name identifier specified", 404)
ROLE = "arn:aws:iam::123456789012:role/logs"


def of_domain(answer: Any) -> tuple[str, str]:
    aws = CannedAws({"apigateway.GetDomainName": answer})
    (finding,) = api.check_domain(aws, gateway_plan("example.com"), OWNER)
    return finding.level, finding.message


@pytest.mark.parametrize(
    ("tags", "level", "says"),
    [
        ({"servestack:stack": OWNER}, "ok", "*.example.com belongs to this stack"),
        (
            {"servestack:stack": "organization/servestack/staging"},
            "refusal",
            "*.example.com already belongs to the gateway of the stack organization/servestack/staging in us-east-1, "
            "and a domain has one gateway: set another domain, such as staging.example.com, or destroy that "
            "stack; if this stack had that name before, skip preflight once: pulumi config set preflight false",
        ),
        (
            {},
            "refusal",
            "*.example.com already belongs to something else in us-east-1, and a domain has one gateway: set "
            "another domain, such as staging.example.com, or delete "
            "the custom domain name *.example.com in API Gateway",
        ),
    ],
    ids=["its own", "another gateway's", "no gateway's"],
)
def test_a_domain_is_one_gateway_s(tags: dict[str, str], level: str, says: str) -> None:
    assert of_domain({"domainName": "*.example.com", "tags": tags}) == (level, says)


def test_a_domain_that_api_gateway_does_not_know_is_free() -> None:
    assert of_domain(FREE) == ("ok", "*.example.com is free in this account")


def record(name: str, **leads: Any) -> dict[str, Any]:
    alias = {"HostedZoneId": "Z1", "EvaluateTargetHealth": False}
    target = {"AliasTarget": {**alias, "DNSName": leads["alias"]}} if "alias" in leads else {"TTL": 300}
    return {"Name": name, "Type": leads.get("type", "A"), **target}


@pytest.mark.parametrize(
    ("domain_name", "records", "refused"),
    [
        (FREE, [], False),
        (FREE, [record("whoami.example.com.", alias=f"{TARGET}.")], False),
        (FREE, [record("gateway.example.com.", type="TXT")], False),
        ({"regionalDomainName": TARGET}, [record("gateway.example.com.", alias=f"{TARGET}.")], False),
        ({"regionalDomainName": TARGET}, [record("gateway.example.com.", alias="d-1.execute-api.eu-west-1.x.")], True),
        (FREE, [record("gateway.example.com.", alias=f"{TARGET}.")], True),
        (FREE, [record("gateway.example.com.")], True),
        (FREE, [record("gateway.example.com.", type="CNAME")], True),
    ],
)
def test_the_gateway_s_name_leads_nowhere_else(domain_name: Any, records: list[dict[str, Any]], refused: bool) -> None:
    zone = {"Id": "/hostedzone/Z0", "Name": "example.com.", "CallerReference": "1"}
    aws = CannedAws(
        {
            "apigateway.GetDomainName": domain_name,
            "route53.ListHostedZones": {"HostedZones": [zone], "Marker": "", "IsTruncated": False, "MaxItems": "100"},
            "route53.ListResourceRecordSets": {"ResourceRecordSets": records, "IsTruncated": False, "MaxItems": "10"},
        }
    )
    found = [(finding.level, finding.message) for finding in api.check_name(aws, gateway_plan("example.com"))]
    says = (
        "gateway.example.com already has a DNS record that points elsewhere, perhaps to a gateway in another region: "
        "set "
        "another domain, such as us-east-1.example.com, or delete the record"
    )
    assert found == ([("refusal", says)] if refused else [])


def test_without_a_zone_the_gateway_s_name_is_not_looked_for() -> None:
    """That there is none is said by what asks about zones."""
    none = {"route53.ListHostedZones": {"HostedZones": [], "Marker": "", "IsTruncated": False, "MaxItems": "100"}}
    assert api.check_name(CannedAws(none), gateway_plan("example.com")) == []


def test_without_a_domain_nothing_is_asked_about_one() -> None:
    assert api.check_domain(CannedAws({}), gateway_plan(None), OWNER) == []
    assert api.check_name(CannedAws({}), gateway_plan(None)) == []


@pytest.mark.parametrize(
    ("account", "level", "says"),
    [
        ({"cloudwatchRoleArn": ROLE}, "ok", ROLE),
        ({}, "refusal", "manage_api_gateway_account is false, but the account has no such role in us-east-1"),
    ],
)
def test_where_the_role_for_logs_is_somebody_else_s_there_is_one(
    account: dict[str, str], level: str, says: str
) -> None:
    plan = gateway_plan(None, manage_api_gateway_account=False)
    (finding,) = api.check_role(CannedAws({"apigateway.GetAccount": account}), plan)
    assert finding.level == level
    assert says in finding.message


def test_where_the_stack_makes_the_role_nothing_is_asked_about_it() -> None:
    assert api.check_role(CannedAws({}), gateway_plan(None)) == []
