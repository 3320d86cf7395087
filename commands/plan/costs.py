"""The monthly cost of the resources that a program registers, at list prices.

At rest means no request: the fewest replicas, or none if a schedule or an unused GPU ends them. At full size means the
most replicas all month, and no request. Costs that depend on traffic are not included, but named with their price.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from commands.program_monitor import Registration
from commands.property_values import PropertyValue
from infra.planning import GatewayPlan, ServicePlan
from infra.planning.metrics import ARRIVALS, MODEL_METRICS, REPLICA_METRICS, REQUEST_METRICS
from infra.planning.prices import HOURS, Price, read_prices
from infra.planning.text import number

TRACKING_ALARMS = 2
"""Alarms that a target tracking policy creates (EC2 Auto Scaling guide): one to add replicas, one to remove them."""

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One line of the monthly cost."""

    what: str
    how: str
    """How many at which price."""
    at_rest: float
    """US dollars a month."""
    full_size: float
    """US dollars a month."""


@dataclass(frozen=True, kw_only=True)
class Costs:
    """The monthly cost of a program's resources."""

    counted: tuple[Cost, ...]
    by_use: tuple[Price, ...]
    """Not included, because they depend on traffic."""
    unknown: tuple[str, ...]
    """Types whose price is unknown."""

    @property
    def at_rest(self) -> float:
        return sum(cost.at_rest for cost in self.counted)

    @property
    def full_size(self) -> float:
        return sum(cost.full_size for cost in self.counted)


def monthly_costs(plan: ServicePlan | GatewayPlan, resources: Sequence[Registration]) -> Costs:
    """Return the monthly cost of `resources`, which providers create."""
    kinds = read_kinds()
    prices = read_prices()
    known = [one for one in resources if one.type in kinds]
    asked = dict.fromkeys(name for one in known for name in kinds[one.type])
    counted = [cost for name, count in _COUNTS.items() if name in asked for cost in count(plan, resources)]
    counted += [
        Cost(what=f"{len(_of(type, resources))} x {what}", how=how, at_rest=0, full_size=0)
        for type, (what, how) in _FOR_NOTHING.items()
        if _of(type, resources)
    ]
    return Costs(
        counted=tuple(counted),
        by_use=tuple(price for name, price in prices.items() if name in asked and not price.counted),
        unknown=tuple(sorted({one.type for one in resources} - kinds.keys())),
    )


@cache
def read_kinds() -> Mapping[str, tuple[str, ...]]:
    """Return, by type, the names of the prices of a resource."""
    lines = (_FOLDER / "kinds.csv").read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return {row["type"]: tuple(filter(None, row["prices"].split("|"))) for row in rows}


def _instances(plan: ServicePlan | GatewayPlan, resources: Sequence[Registration]) -> Iterator[Cost]:
    """Yield the cost of the replicas at the price of the cheapest offer."""
    if isinstance(plan, GatewayPlan):
        return
    for group in plan.groups:
        offer = group.offers[0]
        what = f"{_range(group)} x {offer.instance_type}"
        if group.purchase.spot_policy != "on-demand":
            what += ", spot at the on-demand price"
        yield _replicas(group, what, f"${number(offer.price)} an hour", offer.price * HOURS)


def _volumes(plan: ServicePlan | GatewayPlan, resources: Sequence[Registration]) -> Iterator[Cost]:
    if isinstance(plan, GatewayPlan):
        return
    price = read_prices()["root volume"]
    for group in plan.groups:
        what = f"{_range(group)} x {price.what}"
        yield _replicas(group, what, f"{group.disk_gb} GB at ${price.usd:g} a GB-month", group.disk_gb * price.usd)


def _addresses(plan: ServicePlan | GatewayPlan, resources: Sequence[Registration]) -> Iterator[Cost]:
    if isinstance(plan, GatewayPlan):
        return
    price = read_prices()["public address"]
    yield _replicas(plan, f"{_range(plan)} x {price.what}", f"${price.usd:g} an hour", price.usd * HOURS)


def _balancers(plan: ServicePlan | GatewayPlan, resources: Sequence[Registration]) -> Iterator[Cost]:
    price = read_prices()["load balancer"]
    count = len(_of("aws:lb/loadBalancer:LoadBalancer", resources))
    if count:
        yield _always(f"{count} x {price.what}", f"${price.usd:g} an hour", count * price.usd * HOURS)


def _alarms(plan: ServicePlan | GatewayPlan, resources: Sequence[Registration]) -> Iterator[Cost]:
    """Yield the cost of the alarms: each costs as much as the metrics that it reads."""
    price = read_prices()["alarm metric"]
    looked_at = sum(max(1, len(_metrics(one))) for one in _of("aws:cloudwatch/metricAlarm:MetricAlarm", resources))
    tracking = [
        one
        for one in _of("aws:autoscaling/policy:Policy", resources)
        if one.inputs.get("policyType") == "TargetTrackingScaling"
    ]
    count = looked_at + TRACKING_ALARMS * sum(_tracked(one) for one in tracking)
    if count:
        yield _always(f"{count} x metric of a {price.what}", f"${price.usd:.2f} a month", count * price.usd)


def _dashboards(plan: ServicePlan | GatewayPlan, resources: Sequence[Registration]) -> Iterator[Cost]:
    price = read_prices()["dashboard"]
    count = len(_of("aws:cloudwatch/dashboard:Dashboard", resources))
    if count:
        how = f"${price.usd:.2f} a month; the first 3 of an account are free"
        yield _always(f"{count} x {price.what}", how, count * price.usd)


def _custom_metrics(plan: ServicePlan | GatewayPlan, resources: Sequence[Registration]) -> Iterator[Cost]:
    """Yield the cost of the metrics that the gateway and the replicas write. A metric costs money in hours with
    data."""
    price = read_prices()["custom metric"]
    by_requests = len(_request_metrics(plan))
    yield Cost(
        what=f"{by_requests} x {price.what} of requests",
        how=f"${price.usd:.2f} a month with requests in every hour",
        at_rest=0,
        full_size=by_requests * price.usd,
    )
    if isinstance(plan, ServicePlan) and plan.most:
        written = len(REPLICA_METRICS) * price.usd
        yield Cost(
            what=f"{len(REPLICA_METRICS)} x {price.what} of replicas",
            how=f"${price.usd:.2f} a month with a replica in every hour",
            at_rest=written if plan.resting else 0,
            full_size=written,
        )


def _request_metrics(plan: ServicePlan | GatewayPlan) -> Sequence[str]:
    if isinstance(plan, GatewayPlan):
        return (*REQUEST_METRICS, *MODEL_METRICS)
    of_model = () if plan.model is None else MODEL_METRICS
    return (*REQUEST_METRICS, *of_model, *((ARRIVALS,) if plan.fewest == 0 else ()))


_COUNTS: Mapping[str, Callable[[ServicePlan | GatewayPlan, Sequence[Registration]], Iterable[Cost]]] = {
    "instance": _instances,
    "root volume": _volumes,
    "public address": _addresses,
    "load balancer": _balancers,
    "alarm metric": _alarms,
    "dashboard": _dashboards,
    "custom metric": _custom_metrics,
}
"""How to count each price, in the order of the report."""


_FOR_NOTHING: Mapping[str, tuple[str, str]] = {
    "aws:dynamodb/table:Table": ("DynamoDB table on demand", "a few kilobytes"),
    "aws:route53/record:Record": ("Route 53 record", "in an existing zone"),
    "aws:ec2/vpcEndpoint:VpcEndpoint": ("VPC endpoint of type Gateway", "free, instead of NAT gateways"),
}
"""By type: resources that cost nothing without traffic, which can surprise a reader."""


def _of(type: str, resources: Sequence[Registration]) -> list[Registration]:
    return [one for one in resources if one.type == type]


def _metrics(alarm: Registration) -> list[Mapping[str, PropertyValue]]:
    """Return the metrics in the expression of an alarm; none if the alarm reads one metric directly."""
    queries = alarm.inputs.get("metricQueries")
    found = [query.get("metric") for query in queries if isinstance(query, dict)] if isinstance(queries, list) else []
    return [metric for metric in found if isinstance(metric, dict)]


def _tracked(policy: Registration) -> int:
    """Return how many metrics each alarm of a target tracking policy reads."""
    tracking = policy.inputs.get("targetTrackingConfiguration")
    customized = tracking.get("customizedMetricSpecification") if isinstance(tracking, dict) else None
    queries = customized.get("metrics") if isinstance(customized, dict) else None
    found = [query for query in queries if isinstance(query, dict)] if isinstance(queries, list) else []
    return max(1, sum("metricStat" in query for query in found))


def _range(plan: ServicePlan) -> str:
    low, high = plan.resting, plan.most
    return str(low) if low == high else f"{low} to {high}"


def _replicas(plan: ServicePlan, what: str, how: str, each: float) -> Cost:
    return Cost(what=what, how=how, at_rest=plan.resting * each, full_size=plan.most * each)


def _always(what: str, how: str, cost: float) -> Cost:
    return Cost(what=what, how=how, at_rest=cost, full_size=cost)
