"""How many vCPUs of which quota a plan takes: arithmetic, without a question."""

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
    """Code of the quota that holds where a region does not have this one."""

    def covers(self, instance_type: str) -> bool:
        """Whether instances of this type count towards it."""
        letters, generation = family(instance_type)
        return letters in self.families or f"{letters}{generation}" in self.families


@dataclass(frozen=True, kw_only=True)
class Need:
    """What a plan takes of one quota when it is met from the cheapest offer that counts towards it."""

    quota: Quota
    offer: Offer
    count: int
    """Replicas that are bought so, at full size and with those that a roll starts beside them."""
    least: int
    """vCPUs of the replicas that are started first; 0 where they are bought otherwise."""
    most: int
    """vCPUs of `count` replicas."""


def needs(plan: ServicePlan) -> tuple[Need, ...]:
    """A need for each quota that could serve the plan: those of one way of buying are alternatives, cheapest first."""
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
    """Replicas that may run at once: all of them, and what a roll adds."""
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
    """How many of so many replicas are bought in which way."""
    purchase = plan.purchase
    if purchase.on_demand_percentage_above_base == 100:
        return {"on-demand": replicas, "spot": 0}
    on_demand = min(replicas, purchase.on_demand_base)
    return {"on-demand": on_demand, "spot": replicas - on_demand}
