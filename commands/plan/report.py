"""A plan as text: what the configuration asks for, the offers, what `pulumi up` would create, and the monthly cost."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence

from commands.columns import table
from commands.plan.assumptions import assumed_region
from commands.plan.costs import Costs, monthly_costs
from commands.plan.load import at_load
from commands.plan.planned import Planned
from commands.program_monitor import Registration
from infra.planning import PRICES_AS_OF, PRICES_REGION, GatewayPlan, ServicePlan, offers_table
from infra.planning.prices import HOURS, Price
from infra.planning.text import number

WIDTH = 118
"""Columns of a line of prose, unless the terminal has fewer."""
PROVIDERS = "pulumi:providers:"


def report(planned: Planned, *, offers: int, width: int = WIDTH) -> str:
    """Return everything that `make plan` prints. `offers`: how many to show; `width`: columns of a line of prose."""
    resources = created(planned)
    parts = [
        table(_asked(planned)),
        *([offers_table(planned.plan, shown=offers)] if isinstance(planned.plan, ServicePlan) else []),
        _created(resources),
        _costs(planned, monthly_costs(planned.plan, resources), width),
        *_listed("Unresolved", _unresolved(planned), width),
        *_listed("Notes", _notes(planned), width),
        *_listed("Assumed", planned.assumed, width),
    ]
    return "\n\n".join(parts)


def created(planned: Planned) -> list[Registration]:
    """Return the resources that providers would create, by kind and name."""
    made = [one for one in planned.run.registrations if one.custom and not one.type.startswith(PROVIDERS)]
    return sorted(made, key=lambda one: (one.type, one.name))


def _asked(planned: Planned) -> list[tuple[str, ...]]:
    if isinstance(planned.plan, GatewayPlan):
        return [("Configuration", planned.configuration), *_of_gateway(planned.plan, planned.stack)]
    return [("Configuration", planned.configuration), *_of_service(planned.plan, planned.stack)]


def _of_gateway(plan: GatewayPlan, stack: str) -> Iterator[tuple[str, str]]:
    yield "Stack", f"{stack}, a gateway"
    yield "Region", plan.region
    yield "Domain", plan.domain or "none: the gateway answers at the address of its API"
    yield "Auth", "callers need a key, unless a service says otherwise" if plan.auth else "open to everyone"
    yield "Keys", ", ".join(key.name for key in plan.keys)
    yield "Network", plan.vpc_id or "a new VPC"


def _of_service(plan: ServicePlan, stack: str) -> Iterator[tuple[str, str]]:
    yield "Stack", f"{stack}, a service"
    yield "Run name", plan.run
    yield "Image", ", ".join(dict.fromkeys(group.container.image for group in plan.groups))
    if plan.model is not None:
        yield "Model", f"{plan.model.name} ({plan.model.type}, {plan.model.format})"
    check = plan.health_check
    yield "Health check", f"GET {check.path} answers {check.matcher} ({check.origin})"
    auth = {None: "as the gateway says", True: "callers need a key", False: "open to everyone"}[plan.auth]
    yield "Auth", auth
    yield "Replicas", _each(plan, lambda group: _range(group.replicas.minimum, group.replicas.maximum))
    yield "Spot policy", _each(plan, lambda group: group.purchase.spot_policy)
    ceiling = plan.purchase.spot_max_price
    if ceiling is not None:
        yield "Max price", f"${number(ceiling)}"


def _each(plan: ServicePlan, say: Callable[[ServicePlan], str]) -> str:
    """Return what is said of each group of replicas: once, if there is one group."""
    return ", ".join(f"{say(group)} in group {group.group}" if plan.others else say(group) for group in plan.groups)


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}"


def _created(resources: Sequence[Registration]) -> str:
    rows = [("KIND", "NAME"), *((one.type, one.name) for one in resources)]
    return f"pulumi up would create {len(resources)} resources:\n{table(rows)}"


def _costs(planned: Planned, costs: Costs, width: int) -> str:
    rows = [("MONTHLY COST", "", "AT REST", "FULL SIZE")]
    rows += [(cost.what, cost.how, _dollars(cost.at_rest), _dollars(cost.full_size)) for cost in costs.counted]
    rows.append(("total", "", _dollars(costs.at_rest), _dollars(costs.full_size)))
    lines = [table(rows, right=(2, 3)), *_wrapped(_explained(planned), width)]
    if costs.by_use:
        lines += _wrapped(f"Not included, because it depends on traffic: {_joined(_by_use(costs.by_use))}.", width)
    if costs.unknown:
        lines += _wrapped(f"Not included, because its price is unknown: {_joined(costs.unknown)}.", width)
    if isinstance(planned.plan, GatewayPlan):
        lines += ["", *_wrapped(at_load(planned.plan), width)]
    return "\n".join(lines)


def _explained(planned: Planned) -> str:
    plan = planned.plan
    said = f"A month has {HOURS} hours. All prices are list prices of {PRICES_REGION}, without free tier and tax. "
    said += f"Instance prices are from {PRICES_AS_OF}. infra/planning/prices.csv has the source and date of all others."
    region = assumed_region(plan)
    if region != PRICES_REGION:
        said += f" Prices in {region} differ."
    if isinstance(plan, GatewayPlan):
        return f"{said} The hosted zone of the domain exists already, so it is not included."
    dearest_of = [group.offers[-1].price for group in plan.groups if len(group.offers) > 1]
    if dearest_of:
        dearest = number(max(dearest_of))
        said += f" If the cheapest offer is not available, AWS provides the next one, up to ${dearest} an hour."
    return f"{said} The gateway, which all services share, is not included: plan it too."


def _by_use(prices: Iterable[Price]) -> list[str]:
    return [f"{price.what} (${_exact(price.usd)} per {price.unit})" for price in prices]


def _unresolved(planned: Planned) -> list[str]:
    return [
        f"{one.why[:1].upper()}{one.why[1:]}. pulumi up refuses without it: {one.remedy}." for one in planned.unresolved
    ]


def _notes(planned: Planned) -> list[str]:
    notes = [*planned.notes, *planned.plan.notes]
    if isinstance(planned.plan, ServicePlan):
        return notes
    return [*notes, "make plan does not build the function's zip; pulumi up does."]


def _listed(title: str, sentences: Iterable[str], width: int) -> list[str]:
    """Return a list with a title, or nothing."""
    lines = [line for sentence in sentences for line in _wrapped(sentence, width, bullet=True)]
    return ["\n".join([f"{title}:", *lines])] if lines else []


def _wrapped(text: str, width: int, *, bullet: bool = False) -> list[str]:
    first, rest = ("- ", "  ") if bullet else ("", "")
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def _joined(texts: Iterable[str]) -> str:
    return ", ".join(texts)


def _exact(amount: float) -> str:
    """Return a price with all its digits, at least with cents."""
    return f"{amount:.2f}" if round(amount, 2) == amount else f"{amount:.12f}".rstrip("0")


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}"
