"""Whose a model name is among the services of one gateway, decided on what its table holds.

A name belongs to the stack that had it first, until that stack's claim goes. Several stacks share it if all of them
have a `weight`. Where there is no claim (services that an older version deployed), the run that the gateway asks
has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway_lambda.registry.record import Holder, ModelClaim
from infra.planning.table_items import CLAIM, MODEL, OWNER, RECORD, RUN, SORT_KEY

NOBODY = "unknown"
"""The owner of a routing item whose run nobody claims."""


@dataclass(frozen=True, kw_only=True)
class WantedName:
    """A model name, and the run that wants it."""

    model: str
    run: str
    owner: str
    """Full name of the stack."""
    shared: bool
    """Whether others may have it too: the run has a `weight`."""


@dataclass(frozen=True, kw_only=True)
class Registered:
    """What the table says about names."""

    runs: Mapping[str, str]
    """Owner of each run name."""
    claims: Mapping[str, ModelClaim]
    """By model name; those that can be read."""
    served: Mapping[str, Sequence[str]]
    """For each model name the runs whose routing items have it, first the one that the gateway asks."""


class _Model(msgspec.Struct):
    name: str = ""
    created: int = 0


class _Service(msgspec.Struct):
    """All that is read of a routing item."""

    model: _Model | None = None


def read_registered(items: Iterable[Mapping[str, Any]]) -> Registered:
    """What items of the table's partition `registry` say, in the form in which DynamoDB answers."""
    runs: dict[str, str] = {}
    claims: dict[str, ModelClaim] = {}
    served: dict[str, list[tuple[int, str]]] = {}
    for item in items:
        sort = str(item[SORT_KEY]["S"])
        if sort.startswith(CLAIM):
            runs[sort.removeprefix(CLAIM)] = str(item.get(OWNER, {}).get("S", ""))
        elif sort.startswith(MODEL):
            claim = _decoded(item, ModelClaim)
            if claim is not None:
                claims[sort.removeprefix(MODEL)] = claim
        elif sort.startswith(RUN):
            service = _decoded(item, _Service)
            if service is not None and service.model is not None:
                found = served.setdefault(service.model.name, [])
                found.append((service.model.created, sort.removeprefix(RUN)))
    return Registered(
        runs=runs,
        claims=claims,
        served={name: [run for _, run in sorted(found)] for name, found in served.items()},
    )


def claimed(registered: Registered, wanted: WantedName) -> tuple[ModelClaim, str | None]:
    """The claim of the name with `wanted` among its holders, and why it is refused, None where it is not.

    A holder whose run nobody claims any more is left out: its stack is gone.
    """
    before = registered.claims.get(wanted.model)
    holders = [
        holder
        for holder in (() if before is None else before.holders)
        if holder.run in registered.runs or holder.run == wanted.run
    ]
    if not holders:
        # Of several without a claim, only the first is asked.
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
    """The claim without a run; None where nobody is left."""
    holders = [holder for holder in claim.holders if (holder.run, holder.owner) != (run, owner)]
    return msgspec.structs.replace(claim, holders=holders) if holders else None


def _refusal(wanted: WantedName, others: Sequence[Holder], *, shares: bool) -> str:
    first, *more = others
    whose = f"the run {first.run} (stack {first.owner})" + (f" and {len(more)} more" if more else "")
    set_here, set_there = "pulumi config set weight 1", f"pulumi config set weight 1 --stack {first.owner}"
    if shares:
        return (
            f"{wanted.model} is the model name of {whose}, and only runs that have a weight share it: give this run "
            f"one ({set_here}), or write another model.name"
        )
    here = "" if wanted.shared else f"{set_here}, and "
    return (
        f"{wanted.model} is the model name of {whose}: write another model.name, or let both share its requests: "
        f"{here}{set_there} and pulumi up there first"
    )


def _decoded(item: Mapping[str, Any], kind: type[Any]) -> Any:
    """The object in an item's attribute `record`; None where none can be read."""
    try:
        return msgspec.json.decode(str(item.get(RECORD, {}).get("S", "")), type=kind)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return None
