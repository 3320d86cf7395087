"""How many vCPUs of which quota a plan needs: arithmetic that asks nobody."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from infra.planning import Offer, ServicePlan

Bought = Literal["on-demand", "spot"]


@dataclass(frozen=True, kw_only=True)
class Quota:
    """A quota of vCPUs in one region."""

    code: str
    name: str
    bought: Bought
    families: tuple[str, ...]
    """How an instance type begins: `g` and `vt` for all generations, `p5` for one."""
    instead: str | None
    """Code of the quota that counts in regions that do not have this one."""

    def covers(self, instance_type: str) -> bool:
        """Whether instances of this type count towards it."""
        letters, generation = family(instance_type)
        return letters in self.families or f"{letters}{generation}" in self.families


@dataclass(frozen=True, kw_only=True)
class Need:
    """What a plan needs of one quota if it gets the cheapest offer that counts towards it."""

    quota: Quota
    offer: Offer
    count: int
    """Replicas that are bought this way at full size, with the extra ones of a roll."""
    least: int
    """vCPUs of the replicas that start first; 0 if those are bought another way."""
    most: int
    """vCPUs of `count` replicas."""


def needs(plan: ServicePlan) -> tuple[Need, ...]:
    """Return a need for each quota that could serve the plan. The needs of one way of buying are alternatives,
    cheapest first. A Capacity Block has its own quota, and the account has bought it already."""
    if plan.reservation is not None and plan.reservation.capacity_block:
        return ()
    first, full = _counts(plan, max(1, plan.replicas.minimum)), _counts(plan, at_most(plan))
    found: list[Need] = []
    for bought in ("on-demand", "spot"):
        if full[bought]:
            for quota in (quota for quota in quotas() if quota.bought == bought):
                offers = [offer for offer in plan.offers if quota.covers(offer.instance_type)]
                found.extend(
                    Need(
                        quota=quota,
                        offer=offer,
                        count=full[bought],
                        least=first[bought] * offer.vcpus,
                        most=full[bought] * offer.vcpus,
                    )
                    for offer in offers[:1]
                )
    return tuple(sorted(found, key=lambda need: (need.quota.bought, need.offer.price)))


def at_most(plan: ServicePlan) -> int:
    """Return how many replicas can run at once: the maximum, and the extra ones of a roll."""
    wanted = plan.replicas.maximum
    return max(wanted, -(-wanted * plan.roll.max_healthy_percentage // 100))


def family(instance_type: str) -> tuple[str, str]:
    """Letters and generation: `g` and `6` of `g6e.xlarge`, `p` and `5` of `p5en.48xlarge`."""
    found = re.match(r"([a-z]+)([0-9]?)", instance_type)
    return (found[1], found[2]) if found else ("", "")


@cache
def quotas() -> Sequence[Quota]:
    """The table of quotas."""
    lines = Path(__file__).with_name("quotas.csv").read_text(encoding="utf-8").splitlines()
    return tuple(
        Quota(
            code=row["code"],
            name=row["name"],
            bought="spot" if row["bought"] == "spot" else "on-demand",
            families=tuple(row["families"].split()),
            instead=row["instead"] or None,
        )
        for row in csv.DictReader(line for line in lines if not line.startswith("#"))
    )


def _counts(plan: ServicePlan, replicas: int) -> dict[Bought, int]:
    """How many of the replicas are bought which way."""
    purchase = plan.purchase
    if purchase.on_demand_percentage_above_base == 100:
        return {"on-demand": replicas, "spot": 0}
    on_demand = min(replicas, purchase.on_demand_base)
    return {"on-demand": on_demand, "spot": replicas - on_demand}
