"""Which run has a model name, and what the program tells the others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from gateway_lambda.registry.record import Holder, Model, ModelClaim, Service
from infra.planning.model_names import WantedName, claimed, given_up, read_registered
from infra.planning.table_items import claim_item, model_item, routing_item

M = "org/name:tag#1"


def run(name: str, owner: str | None = None) -> str:
    return claim_item(name, owner or f"o/p/{name}")


def served(name: str, created: int = 0) -> str:
    return routing_item(Service(run=name, model=Model(name=M, created=created, chat_template="…")))


def holders(*names: str, shared: bool = False) -> ModelClaim:
    return ModelClaim(model=M, holders=[Holder(run=name, owner=f"o/p/{name}") for name in names], shared=shared)


def decided(items: Sequence[str], name: str = "a", *, shared: bool = False, owner: str | None = None) -> Any:
    """Return the runs of the claim and whether they share it, or the refusal."""
    registered = read_registered([json.loads(item) for item in items])
    wanted = WantedName(model=M, run=name, owner=owner or f"o/p/{name}", shared=shared)
    claim, refusal = claimed(registered, wanted)
    if refusal is not None:
        return refusal
    own = [holder.owner for holder in claim.holders if holder.run == name]
    assert own == [wanted.owner]
    return [holder.run for holder in claim.holders], claim.shared


OF_B = [run("b"), model_item(holders("b"))]
SHARED_BY_B = [run("b"), model_item(holders("b", shared=True))]


@pytest.mark.parametrize(
    ("items", "shared", "becomes"),
    [
        ([], False, (["a"], False)),
        ([], True, (["a"], True)),
        ([run("a"), model_item(holders("a"))], False, (["a"], False)),
        ([run("a"), model_item(holders("a"))], True, (["a"], True)),
        ([run("a"), model_item(holders("a", shared=True))], False, (["a"], False)),
        (SHARED_BY_B, True, (["b", "a"], True)),
        ([run("a"), run("b"), model_item(holders("a", "b", shared=True))], True, (["a", "b"], True)),
        ([model_item(holders("b"))], False, (["a"], False)),
        ([model_item(holders("b", shared=True))], False, (["a"], False)),
        ([run("a"), run("b"), served("a"), served("b")], False, (["a"], False)),
        ([run("a"), run("b"), served("b", 9), served("a", 5)], False, (["a"], False)),
        ([run("b"), served("b"), *[run("a"), model_item(holders("a"))]], False, (["a"], False)),
        ([run("old", "o/p/a"), model_item(ModelClaim(model=M, holders=[Holder(run="old", owner="o/p/a")]))], False,
         (["old", "a"], False)),
        ([run("old", "o/p/a"), served("old")], False, (["old", "a"], False)),
        ([run("a"), model_item(ModelClaim(model=M, holders=[Holder(run="a", owner="o/p/before")]))], False,
         (["a"], False)),
        ([run("b"), served("b").replace(M, "another")], False, (["a"], False)),
        ([json.dumps({"pk": {"S": "registry"}, "sk": {"S": "run#b"}, "record": {"S": "{broken"}})], False,
         (["a"], False)),
    ],
    ids=[
        "a free name",
        "a free name to be shared",
        "one's own",
        "one's own, shared from now on",
        "and no more",
        "one that others share",
        "once more",
        "one left by a stack that is gone",
        "shared by one that is gone",
        "an older version's, who was first by name",
        "by age",
        "with another's item that an older version left",
        "a run that is renamed",
        "a run of an older version that is renamed",
        "a stack that is renamed",
        "another model of another run",
        "beside an item that cannot be read",
    ],
)  # fmt: skip
def test_who_may_have_a_name_gets_it(items: list[str], shared: bool, becomes: Any) -> None:
    assert decided(items, shared=shared) == becomes


@pytest.mark.parametrize(
    ("items", "shared", "says"),
    [
        (
            OF_B,
            False,
            f"{M} is the model name of the run b (stack o/p/b): choose another model.name, or let the runs share its "
            "requests: first pulumi config set weight 1 --stack o/p/b and pulumi up there, then pulumi config set "
            "weight 1 here",
        ),
        (
            OF_B,
            True,
            f"{M} is the model name of the run b (stack o/p/b): choose another model.name, or let the runs share its "
            "requests: first pulumi config set weight 1 --stack o/p/b and pulumi up there",
        ),
        (
            SHARED_BY_B,
            False,
            f"{M} is the model name of the run b (stack o/p/b), and only runs with a weight share it: give this run "
            "a weight (pulumi config set weight 1), or choose another model.name",
        ),
        (
            [run("a"), *(run(name) for name in "bcd"), model_item(holders("b", "a", "c", "d", shared=True))],
            False,
            f"{M} is the model name of the run b (stack o/p/b) and 2 more, and only runs with a weight share it: "
            "give this run a weight (pulumi config set weight 1), or choose another model.name",
        ),
    ],
    ids=["nobody shares", "this one shares", "the other shares", "it does not share any more"],
)
def test_a_name_of_another_is_refused_with_who_has_it_and_what_can_be_done(
    items: list[str], shared: bool, says: str
) -> None:
    assert decided(items, shared=shared) == says


def test_what_an_older_version_deployed_first_is_not_taken_by_who_asks_before_it() -> None:
    there = [run("a"), run("b"), served("a"), served("b")]
    assert f"{M} is the model name of the run a (stack o/p/a): " in decided(there, "b")
    assert decided(there, "a") == (["a"], False)
    assert decided([served("left")], "b") == (
        f"{M} is the model name of the run left, which no stack claims: write another model.name, or take that run out "
        "of the table (docs/teardown.md)"
    )


def test_who_gives_a_name_up_leaves_the_others_theirs() -> None:
    both = holders("a", "b", shared=True)
    assert given_up(both, "a", "o/p/a") == holders("b", shared=True)
    assert given_up(both, "a", "o/p/another") == both
    assert given_up(holders("a"), "a", "o/p/a") is None
