"""The offers of a plan as a table like that of dstack: instance, resources, spot, price."""

from __future__ import annotations

from infra.planning.catalog import PRICES_AS_OF, PRICES_REGION
from infra.planning.plan import Offer, ServicePlan
from infra.planning.text import number

HEADER = ("#", "INSTANCE", "RESOURCES", "SPOT", "PRICE")
SHOWN = 3
"""The number of offers that dstack shows."""


def offers_table(plan: ServicePlan, *, shown: int = SHOWN) -> str:
    """Return the cheapest offers of each group, one a line, the number of the others, and the origin of the prices. No
    final newline.

    Prices are on-demand list prices. Spot prices are lower, change, and are not known here, so the table shows `<`.
    """
    tables = [_table(group, shown, f"Group {group.group}:" if plan.others else None) for group in plan.groups]
    return "\n".join([*tables, f"Prices are on-demand list prices per hour, in {PRICES_REGION} on {PRICES_AS_OF}."])


def resources(offer: Offer) -> str:
    """Return the resources of an offer as dstack writes them."""
    gpu = f"{offer.gpu_count}xGPU {offer.gpu} ({number(offer.gpu_memory_gb)}GB)"
    return f"{offer.vcpus}xCPU, {number(offer.memory_gb)}GB, {gpu}, {offer.disk_gb}GB (disk)"


def _table(plan: ServicePlan, shown: int, title: str | None) -> str:
    offers = plan.offers[:shown]
    rows = [HEADER, *(_row(index, offer, plan) for index, offer in enumerate(offers, 1))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    lines = [] if title is None else [title]
    lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    if len(plan.offers) > len(offers):
        lines.append(
            f"   … {len(plan.offers) - len(offers)} more offers, up to ${number(plan.offers[-1].price)} an hour"
        )
    return "\n".join(lines)


def _row(index: int, offer: Offer, plan: ServicePlan) -> tuple[str, ...]:
    price = f"${number(offer.price)}"
    match plan.purchase.spot_policy:
        case "on-demand":
            spot = "no"
        case "spot":
            spot, price = "yes", f"<{price}"
        case "auto":
            spot = f"above {plan.purchase.on_demand_base}"
    return str(index), offer.instance_type, resources(offer), spot, price
