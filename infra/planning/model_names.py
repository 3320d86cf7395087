"""Which runs of a gateway have a model name. The items of the gateway's table decide.

A name belongs to the stack that had it first, until that stack removes its claim. Several stacks share a name if all of
them have a `weight`. Without a claim (for services that an older version deployed), the run that the gateway asks has
the name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway_lambda.registry.record import Holder, Model, ModelClaim
from infra.configuration import Problem, ServiceConfiguration, ServiceSettings
from infra.planning.table_items import CLAIM, MODEL, OWNER, RECORD, RUN, SORT_KEY

NOBODY = "unknown"
"""The owner of a routing record whose run has no claim."""


@dataclass(frozen=True, kw_only=True)
class WantedName:
    """A model name, and the run that needs it."""

    model: str
    run: str
    owner: str
    """The full name of the stack."""
    shared: bool
    """Whether other runs can have it too: the run has a `weight`."""


@dataclass(frozen=True, kw_only=True)
class Registered:
    """The table's items about names."""

    runs: Mapping[str, str]
    """The owner of each run name."""
    claims: Mapping[str, ModelClaim]
    """The claims that can be read, by model name."""
    served: Mapping[str, Sequence[str]]
    """For each model name, the runs whose routing records have it. The gateway asks the first one."""
    routed: Collection[str]
    """The runs that have a routing record."""


class _Model(msgspec.Struct):
    name: str = ""
    created: int = 0


class _Service(msgspec.Struct):
    """The part of a routing record that is read here."""

    model: _Model | None = None


def read_registered(items: Iterable[Mapping[str, Any]]) -> Registered:
    """Read items of the table's partition `registry`, in the form of DynamoDB's answers."""
    runs: dict[str, str] = {}
    claims: dict[str, ModelClaim] = {}
    served: dict[str, list[tuple[int, str]]] = {}
    routed: set[str] = set()
    for item in items:
        sort = str(item[SORT_KEY]["S"])
        if sort.startswith(CLAIM):
            runs[sort.removeprefix(CLAIM)] = str(item.get(OWNER, {}).get("S", ""))
        elif sort.startswith(MODEL):
            claim = _decoded(item, ModelClaim)
            if claim is not None:
                claims[sort.removeprefix(MODEL)] = claim
        elif sort.startswith(RUN):
            routed.add(sort.removeprefix(RUN))
            service = _decoded(item, _Service)
            if service is not None and service.model is not None:
                found = served.setdefault(service.model.name, [])
                found.append((service.model.created, sort.removeprefix(RUN)))
    return Registered(
        runs=runs,
        claims=claims,
        served={name: [run for _, run in sorted(found)] for name, found in served.items()},
        routed=routed,
    )


def claimed(registered: Registered, wanted: WantedName) -> tuple[ModelClaim, str | None]:
    """Return the claim of the name with `wanted` among its holders, and the refusal; `None`: it is not refused.

    A holder whose run no longer has a claim is left out, because its stack no longer exists.
    """
    before = registered.claims.get(wanted.model)
    holders = [
        holder
        for holder in (() if before is None else before.holders)
        if holder.run in registered.runs or holder.run == wanted.run
    ]
    if not holders:
        # Of several runs without a claim, the gateway asks only the first.
        first = registered.served.get(wanted.model, ())[:1]
        holders = [Holder(run=run, owner=registered.runs.get(run, NOBODY)) for run in first]
    own = Holder(run=wanted.run, owner=wanted.owner)
    others = [holder for holder in holders if holder.run != own.run and holder.owner != own.owner]
    shares = before is not None and before.shared
    refusal = None if not others or (shares and wanted.shared) else _refusal(wanted, others, shares=shares)
    if own.run in (holder.run for holder in holders):
        holders = [own if holder.run == own.run else holder for holder in holders]
    else:
        holders = [*holders, own]
    return ModelClaim(model=wanted.model, holders=holders, shared=wanted.shared), refusal


def given_up(claim: ModelClaim, run: str, owner: str) -> ModelClaim | None:
    """Return the claim without a run; `None`: no holder is left."""
    holders = [holder for holder in claim.holders if (holder.run, holder.owner) != (run, owner)]
    return msgspec.structs.replace(claim, holders=holders) if holders else None


def _refusal(wanted: WantedName, others: Sequence[Holder], *, shares: bool) -> str:
    first, *more = others
    if first.owner == NOBODY:
        return (
            f"{wanted.model} is the model name of the run {first.run}, which no stack claims: write another "
            "model.name, or take that run out of the table (docs/teardown.md)"
        )
    whose = f"the run {first.run} (stack {first.owner})" + (f" and {len(more)} more" if more else "")
    set_here, set_there = "pulumi config set weight 1", f"pulumi config set weight 1 --stack {first.owner}"
    if shares:
        return (
            f"{wanted.model} is the model name of {whose}, and only runs with a weight share it: give this run a "
            f"weight ({set_here}), or choose another model.name"
        )
    here = "" if wanted.shared else f", then {set_here} here"
    return (
        f"{wanted.model} is the model name of {whose}: choose another model.name, or let the runs share its requests: "
        f"first {set_there} and pulumi up there{here}"
    )


def _decoded(item: Mapping[str, Any], kind: type[Any]) -> Any:
    """Return the object in an item's attribute `record`; `None`: it cannot be read."""
    try:
        return msgspec.json.decode(str(item.get(RECORD, {}).get("S", "")), type=kind)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return None


def check_weight(configuration: ServiceConfiguration, settings: ServiceSettings, problems: list[Problem]) -> None:
    """Add a weight of a service without a model to `problems`."""
    if settings.weight is None or configuration.model is not None:
        return
    rule = "a weight is the run's share of the requests for its model name, but the configuration has no model"
    remedy = "remove it, or add the model to the configuration"
    problems.append(Problem(where="stack config weight", found=str(settings.weight), rule=rule, remedy=remedy))


def weight_notes(model: Model | None, weight: int | None) -> list[str]:
    """Return what a weight means for the model name."""
    if model is None or weight is None:
        return []
    return [
        f"weight is {weight}: the gateway shares the requests for {model.name} among all runs with this model name "
        "and a weight, in proportion to their weights."
    ]
