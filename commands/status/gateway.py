"""The status of a gateway: its keys and runs, its certificate, and how its function did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from commands.aws_access import Client, ClientMaker
from commands.gateway_keys import KeyStatus, gateway_table, key_status, keys_in, tokens_today
from commands.stack_state import StackState
from infra.planning.table_items import CLAIM, RUN, SORT_KEY
from infra.preflight.aws_errors import answer_or
from infra.preflight.registry import registry_items

FUNCTION = "aws:lambda/function:Function"
DOMAIN = "aws:apigateway/domainName:DomainName"
HOURS = 24
"""How far back the figures of the function go."""
_HOUR = 3600


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """The certificate of the gateway's domain."""

    name: str
    status: str
    """AWS's word: `ISSUED`, `PENDING_VALIDATION`, `EXPIRED`, … (botocore: CertificateStatus)."""
    expires: datetime | None
    """`None`: it is not issued."""


@dataclass(frozen=True, kw_only=True)
class Calls:
    """The calls of the function in the last `HOURS` hours, as CloudWatch counts them."""

    requests: int
    errors: int
    throttles: int
    """Calls that AWS refused because too many ran at the same time."""


@dataclass(frozen=True, kw_only=True)
class GatewayStatus:
    """One gateway."""

    stack: str
    region: str
    url: str | None
    """`None`: no `pulumi up` has succeeded yet."""
    keys: tuple[KeyStatus, ...] | None
    """The API keys, by name; `None`: AWS did not say."""
    runs: tuple[str, ...] | None
    """Runs that the gateway routes to; `None`: AWS did not say."""
    claimed: tuple[str, ...] | None
    """Run names that a stack has, but that have never served; `None`: AWS did not say."""
    certificate: Certificate | None
    """`None`: the gateway has no domain, or AWS did not say."""
    function: Calls | None
    """`None`: AWS did not say."""
    unanswered: tuple[str, ...]
    """What AWS did not say, each with the reason."""


def look_at_gateway(state: StackState, clients: ClientMaker, now: datetime) -> GatewayStatus:
    """Return the status of a gateway's stack. Raises `StackError`, and what boto3 raises about credentials."""
    table, region = gateway_table(state)
    client = clients(region, state.profile)
    unanswered: list[str] = []
    items = answer_or(lambda: registry_items(client("dynamodb"), table), None, "dynamodb:Query", unanswered)
    keys = keys_in(items or ())
    used = answer_or(lambda: tokens_today(client, table, keys, now), {}, "dynamodb:BatchGetItem", unanswered)
    sorts = None if items is None else [item[SORT_KEY]["S"] for item in items]
    runs = _names(sorts, RUN)
    claims = _names(sorts, CLAIM)
    return GatewayStatus(
        stack=state.name,
        region=region,
        url=state.outputs.get("url"),
        keys=None if items is None else tuple(key_status(key, used) for key in keys),
        runs=runs,
        claimed=None if claims is None else tuple(run for run in claims if run not in (runs or ())),
        certificate=answer_or(lambda: _certificate(client, state), None, "acm:DescribeCertificate", unanswered),
        function=answer_or(lambda: _calls(client, state, now), None, "cloudwatch:GetMetricStatistics", unanswered),
        unanswered=tuple(unanswered),
    )


def _names(sorts: list[str] | None, prefix: str) -> tuple[str, ...] | None:
    if sorts is None:
        return None
    return tuple(sorted(sort.removeprefix(prefix) for sort in sorts if sort.startswith(prefix)))


def _certificate(client: Client, state: StackState) -> Certificate | None:
    domains = state.all_of(DOMAIN)
    if not domains:
        return None
    arn = domains[-1]["regionalCertificateArn"]
    found: Any = client("acm").describe_certificate(CertificateArn=arn)["Certificate"]
    expires = found.get("NotAfter") if found["Status"] == "ISSUED" else None
    return Certificate(name=found["DomainName"], status=found["Status"], expires=expires)


def _calls(client: Client, state: StackState, now: datetime) -> Calls | None:
    functions = state.all_of(FUNCTION)
    if not functions:
        return None
    cloudwatch = client("cloudwatch")

    def total(metric: str) -> int:
        found: Any = cloudwatch.get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName=metric,
            Dimensions=[{"Name": "FunctionName", "Value": functions[-1]["name"]}],
            StartTime=now - timedelta(hours=HOURS),
            EndTime=now,
            Period=_HOUR,
            Statistics=["Sum"],
        )
        return round(sum(point["Sum"] for point in found["Datapoints"]))

    return Calls(requests=total("Invocations"), errors=total("Errors"), throttles=total("Throttles"))
