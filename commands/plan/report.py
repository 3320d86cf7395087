"""A plan as text: what was asked for, the offers, what would be created, what it costs a month, what is open."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from commands.plan.assumptions import assumed_region
from commands.plan.costs import HOURS, Costs, Price, monthly_costs
from commands.plan.planned import Planned
from commands.program_monitor import Registration
from infra.planning import PRICES_AS_OF, PRICES_REGION, GatewayPlan, ServicePlan, offers_table
from infra.planning.text import number

WIDTH = 118
"""Columns of a line of prose, where a terminal has not fewer."""
PROVIDERS = "pulumi:providers:"


def report(planned: Planned, *, offers: int, width: int = WIDTH) -> str:
    """Everything that `make plan` prints. `offers`: how many are shown; `width`: columns of a line of prose."""
    resources = created(planned)
    parts = [
        _table(_asked(planned)),
        *([offers_table(planned.plan, shown=offers)] if isinstance(planned.plan, ServicePlan) else []),
        _created(resources),
        _costs(planned, monthly_costs(planned.plan, resources), width),
        *_listed("Unresolved", _unresolved(planned), width),
        *_listed("Notes", _notes(planned), width),
        *_listed("Assumed", planned.assumed, width),
    ]
    return "\n\n".join(parts)


def created(planned: Planned) -> list[Registration]:
    """What providers would make, by kind and name."""
    made = [one for one in planned.run.registrations if one.custom and not one.type.startswith(PROVIDERS)]
    return sorted(made, key=lambda one: (one.type, one.name))


def _asked(planned: Planned) -> list[tuple[str, ...]]:
    if isinstance(planned.plan, GatewayPlan):
        return [("Configuration", planned.configuration), *_of_gateway(planned.plan, planned.stack)]
    return [("Configuration", planned.configuration), *_of_service(planned.plan, planned.stack)]


def _of_gateway(plan: GatewayPlan, stack: str) -> Iterator[tuple[str, str]]:
    yield "Stack", f"{stack}, a gateway"
    yield "Region", plan.region
    yield "Domain", plan.domain or "none: the API's own address"
    yield "Auth", "a key is needed, unless a service says otherwise" if plan.auth else "open to everyone"
    yield "Keys", ", ".join(key.name for key in plan.keys)
    yield "Network", plan.vpc_id or "made"


def _of_service(plan: ServicePlan, stack: str) -> Iterator[tuple[str, str]]:
    yield "Stack", f"{stack}, a service"
    yield "Run name", plan.run
    yield "Image", plan.container.image
    if plan.model is not None:
        yield "Model", f"{plan.model.name} ({plan.model.type}, {plan.model.format})"
    auth = {None: "as the gateway says", True: "a key is needed", False: "open to everyone"}[plan.auth]
    yield "Auth", auth
    low, high = plan.replicas.minimum, plan.replicas.maximum
    yield "Replicas", str(low) if low == high else f"{low} to {high}"
    yield "Spot policy", plan.purchase.spot_policy
    ceiling = plan.purchase.spot_max_price
    if ceiling is not None:
        yield "Max price", f"${number(ceiling)}"


def _created(resources: Sequence[Registration]) -> str:
    rows = [("KIND", "NAME"), *((one.type, one.name) for one in resources)]
    return f"Would create {len(resources)} resources:\n{_table(rows)}"


def _costs(planned: Planned, costs: Costs, width: int) -> str:
    rows = [("MONTHLY COST", "", "AT REST", "FULL SIZE")]
    rows += [(cost.what, cost.how, _dollars(cost.at_rest), _dollars(cost.full_size)) for cost in costs.counted]
    rows.append(("total", "", _dollars(costs.at_rest), _dollars(costs.full_size)))
    lines = [_table(rows, right=(2, 3)), *_wrapped(_explained(planned), width)]
    if costs.by_use:
        lines += _wrapped(f"Not counted, because it hangs on traffic: {_joined(_by_use(costs.by_use))}.", width)
    if costs.unknown:
        lines += _wrapped(f"Not counted, because its price is not known here: {_joined(costs.unknown)}.", width)
    return "\n".join(lines)


def _explained(planned: Planned) -> str:
    plan = planned.plan
    said = f"A month has {HOURS} hours. At list prices of {PRICES_REGION}, instances' of {PRICES_AS_OF}"
    said += ", other prices' pages and dates in commands/plan/prices.csv. No free tier, no tax."
    region = assumed_region(plan)
    if region != PRICES_REGION:
        said += f" Prices in {region} differ."
    if isinstance(plan, GatewayPlan):
        return f"{said} The domain's hosted zone is there already, and not counted."
    if len(plan.offers) > 1:
        dearest = number(plan.offers[-1].price)
        said += f" Where the cheapest offer is not to be had, the next is bought, up to ${dearest} an hour."
    return f"{said} The gateway, which all its services share, is not counted here: plan it too."


def _by_use(prices: Iterable[Price]) -> list[str]:
    return [f"{price.what} (${_exact(price.usd)} per {price.unit})" for price in prices]


def _unresolved(planned: Planned) -> list[str]:
    return [
        f"The chat template of {one.repo}: {one.why}. pulumi up refuses without it; {one.remedy}."
        for one in planned.unresolved
    ]


def _notes(planned: Planned) -> list[str]:
    notes = list(planned.plan.notes)
    if isinstance(planned.plan, ServicePlan):
        return notes
    return [*notes, "The function's zip is not made here; pulumi up makes it."]


def _listed(title: str, sentences: Iterable[str], width: int) -> list[str]:
    """A titled list, or nothing."""
    lines = [line for sentence in sentences for line in _wrapped(sentence, width, bullet=True)]
    return ["\n".join([f"{title}:", *lines])] if lines else []


def _wrapped(text: str, width: int, *, bullet: bool = False) -> list[str]:
    first, rest = ("- ", "  ") if bullet else ("", "")
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def _table(rows: Sequence[tuple[str, ...]], *, right: tuple[int, ...] = ()) -> str:
    """Columns two spaces apart; those in `right` are numbers."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _joined(texts: Iterable[str]) -> str:
    return ", ".join(texts)


def _exact(amount: float) -> str:
    """A price with all its digits, and at least with cents."""
    return f"{amount:.2f}" if round(amount, 2) == amount else f"{amount:.12f}".rstrip("0")


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}"
