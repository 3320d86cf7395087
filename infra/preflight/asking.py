"""All questions about one plan, and all answers together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from infra.planning import GatewayPlan, ServicePlan
from infra.preflight import account, function, model, offerings, quotas, run_name, zone
from infra.preflight.aws_errors import aws_failures, in_words, kind_of
from infra.preflight.clients import Clients
from infra.preflight.finding import Finding, refusal, warning


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a service would be deployed: its gateway, as far as it is asked after, and its stack."""

    region: str
    table: str
    """Name of the gateway's table."""
    subnet_ids: Sequence[str]
    owner: str
    """Full name of the service's stack."""


def run_preflight(plan: ServicePlan | GatewayPlan, clients: Clients, place: Place | None = None) -> tuple[Finding, ...]:
    """Asks everything and gives every answer. Nothing is raised for what AWS or the Hub does not answer: that is an
    answer too. Where the credentials are refused, AWS is asked nothing else.

    Args:
        plan: what would be deployed. One with `preflight` off is asked nothing.
        clients: who is asked.
        place: where a service would be deployed.

    Raises:
        ValueError: a service's plan without a place.
    """
    if not plan.preflight:
        return ()
    if isinstance(plan, GatewayPlan):
        return tuple(_gateway(plan, clients))
    if place is None:
        raise ValueError("run_preflight of a service takes a place: the region, table and subnets of its gateway")
    return tuple(_service(plan, clients, place))


def _gateway(plan: GatewayPlan, clients: Clients) -> list[Finding]:
    aws, region = clients.aws, plan.region
    findings = account.check_account(aws, region)
    if any(finding.level == "refusal" for finding in findings):
        return findings
    return [
        *findings,
        *_asked(zone.TOPIC, lambda: zone.check_zone(aws, clients.name_servers, plan)),
        *_asked(function.CONCURRENCY, lambda: function.check_concurrency(aws, region)),
        *_asked(function.LAYER, lambda: function.check_layer(aws, plan)),
    ]


def _service(plan: ServicePlan, clients: Clients, place: Place) -> list[Finding]:
    aws, region = clients.aws, place.region
    findings = account.check_account(aws, region)
    if all(finding.level != "refusal" for finding in findings):
        findings += [
            *_asked(run_name.TOPIC, lambda: run_name.check_registry(aws, region, place.table, plan.run, place.owner)),
            *_asked(offerings.TOPIC, lambda: offerings.check_offerings(aws, plan, region, place.subnet_ids)),
            *_asked(quotas.TOPIC, lambda: quotas.check_quotas(aws, plan, region, place.owner)),
        ]
    return [*findings, *model.check_model(clients, plan)]


def _asked(topic: str, ask: Callable[[], list[Finding]]) -> list[Finding]:
    """The answer; where AWS gives none, a warning that says so."""
    try:
        return ask()
    except aws_failures() as error:
        if kind_of(error) == "credentials":
            return [refusal(topic, account.explain_credentials(error))]
        why = "the caller may not ask" if kind_of(error) == "denied" else "AWS does not answer"
        return [warning(topic, f"not checked: {why} ({in_words(error)})")]
