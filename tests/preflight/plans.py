"""Plans to ask about, the clients to ask with, and one answer of many."""

from __future__ import annotations

from typing import Any

from infra.configuration import GatewayConfiguration, GatewaySettings, ServiceConfiguration, ServiceSettings
from infra.configuration.reading import loads
from infra.planning import GatewayPlan, ServicePlan, plan_gateway, plan_service, unresolved
from infra.planning.weights import Weigh, unweighed
from infra.preflight import Clients, Finding, Place

PLACE = Place(
    region="us-east-1",
    account="123456789012",
    table="gateway-table",
    subnet_ids=("subnet-0a", "subnet-0b"),
    owner="organization/servestack/yellow-cat-1",
)
WEB = "type: service\nimage: nginx\nport: 80\n"
"""A service without a model."""


def service_plan(
    text: str = f"{WEB}resources: {{gpu: 24GB}}\n",
    *,
    run: str = "yellow-cat-1",
    weigh: Weigh = unweighed,
    **said: Any,
) -> ServicePlan:
    configuration = loads(text, "test.dstack.yml")
    assert isinstance(configuration, ServiceConfiguration)
    settings = ServiceSettings(configuration="test.dstack.yml", **said)
    return plan_service(configuration, run=run, environment={}, resolve=unresolved, settings=settings, weigh=weigh)


def gateway_plan(
    domain: str | None = "gpu.example.com", region: str = "us-east-1", certificate: str | None = None, **said: Any
) -> GatewayPlan:
    written = "" if domain is None else f"domain: {domain}\n"
    written += "" if certificate is None else f"certificate: {{type: acm, arn: {certificate}}}\n"
    configuration = loads(
        f"type: gateway\nname: gateway\nbackend: aws\nregion: {region}\n{written}", "gateway.dstack.yml"
    )
    assert isinstance(configuration, GatewayConfiguration)
    settings = GatewaySettings(configuration="gateway.dstack.yml", **said)
    return plan_gateway(configuration, name="gateway", settings=settings)


def clients(aws: Any, **changed: Any) -> Clients:
    """With a domain name system that answers nothing and a Hub that lets everybody read."""
    given: dict[str, Any] = {
        "name_servers": lambda domain: None,
        "caa": lambda domain: None,
        "check_access": lambda wanted: None,
    }
    return Clients(aws=aws, **{**given, **changed})


def one(findings: tuple[Finding, ...], topic: str) -> tuple[str, str]:
    """Level and message of the only finding on a topic."""
    found = [(finding.level, finding.message) for finding in findings if finding.topic == topic]
    assert len(found) == 1
    return found[0]
