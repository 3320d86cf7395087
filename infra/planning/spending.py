"""What a stack spends, as metric math over metrics that AWS has for nothing. All prices are list prices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from infra.planning.gateway_plan import GatewayPlan
from infra.planning.metrics import Metric, of_api, of_function, of_group
from infra.planning.plan import ServicePlan
from infra.planning.prices import read_prices, replica_hour
from infra.planning.text import decimal

MEGABYTES = 1024
"""Of a GB, as Lambda bills memory."""
MILLION = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Spending:
    """The dollars of a period: what an hour costs without any use, and what the sums of metrics cost."""

    an_hour: float
    """US dollars."""
    metrics: tuple[Metric, ...]
    """Sums over the period."""
    rates: Mapping[str, float]
    """US dollars for 1 of each metric, by its id."""

    def expression(self, seconds: str) -> str:
        """Return the dollars of a period as metric math. `seconds`: the length of the period, as metric math."""
        fixed = [f"{seconds} / 3600 * {_digits(self.an_hour)}"] if self.an_hour else []
        return " + ".join([*fixed, *(f"FILL({id}, 0) * {_digits(rate)}" for id, rate in self.rates.items())])


def service_spending(plan: ServicePlan) -> Spending:
    """Return what the replicas of a run cost, at the price of the cheapest offer of their group."""
    # A group has one value a minute, so the sum counts the minutes of all replicas.
    minutes = [
        of_group("minutes", "GroupInServiceInstances", "Sum", number=number) for number in range(len(plan.groups))
    ]
    rates = {metric.id: replica_hour(group.offers[0]) / 60 for metric, group in zip(minutes, plan.groups, strict=True)}
    return Spending(an_hour=0, metrics=tuple(minutes), rates=rates)


def gateway_spending(plan: GatewayPlan) -> Spending:
    """Return what the load balancer, the function and the API of a gateway cost. Data to the internet, logs and the
    table are left out, because no metric counts them or they cost little."""
    prices = read_prices()
    memory = plan.memory_size / MEGABYTES
    return Spending(
        an_hour=prices["load balancer"].usd,
        metrics=(
            of_function("duration", "Duration", "Sum"),
            of_function("calls", "Invocations", "Sum"),
            of_api("count", "Count", "Sum"),
        ),
        rates={
            "duration": memory * prices["function time"].usd / 1000,
            "calls": prices["function request"].usd / MILLION,
            "count": prices["API request"].usd / MILLION,
        },
    )


def _digits(dollars: float) -> str:
    """Six digits that count, without an exponent."""
    return decimal(float(f"{dollars:.6g}"))
