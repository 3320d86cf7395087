"""What API Gateway may have already, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest

from infra.preflight import api
from tests.preflight.canned import CannedAws, Refused
from tests.preflight.plans import gateway_plan

OWNER = "organization/servestack/gateway"
ROLE = "arn:aws:iam::123456789012:role/logs"


def of_domain(answer: Any) -> tuple[str, str]:
    aws = CannedAws({"apigateway.GetDomainName": answer})
    (finding,) = api.check_domain(aws, gateway_plan("example.com"), OWNER)
    return finding.level, finding.message


@pytest.mark.parametrize(
    ("tags", "level", "says"),
    [
        ({"servestack:stack": OWNER}, "ok", "*.example.com is this stack's"),
        (
            {"servestack:stack": "organization/servestack/staging"},
            "refusal",
            "*.example.com leads to the gateway of the stack organization/servestack/staging in us-east-1 already, and "
            "there is one gateway for a domain: set another domain, such as staging.example.com, or destroy that stack",
        ),
        (
            {},
            "refusal",
            "*.example.com leads to something else in us-east-1 already, and there is one gateway for a domain: set "
            "another domain, such as staging.example.com, or delete "
            "the custom domain name *.example.com in API Gateway",
        ),
    ],
    ids=["its own", "another gateway's", "no gateway's"],
)
def test_a_domain_is_one_gateway_s(tags: dict[str, str], level: str, says: str) -> None:
    assert of_domain({"domainName": "*.example.com", "tags": tags}) == (level, says)


def test_a_domain_that_api_gateway_does_not_know_is_free() -> None:
    answer = Refused("NotFoundException", "Invalid domain name identifier specified", 404)
    assert of_domain(answer) == ("ok", "*.example.com is free in this account")


def test_without_a_domain_nothing_is_asked_about_one() -> None:
    assert api.check_domain(CannedAws({}), gateway_plan(None), OWNER) == []


@pytest.mark.parametrize(
    ("account", "level", "says"),
    [
        ({"cloudwatchRoleArn": ROLE}, "ok", ROLE),
        ({}, "refusal", "manage_api_gateway_account is false, and us-east-1 has none"),
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
