"""Whether a run name is free, asked before it is claimed."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pulumi.dynamic import Config, ConfigureRequest

from infra.components.run_name import RunNameProvider

MINE, OTHER = "o/p/mine", "o/p/other"
PROPS = {"run": "cat", "owner": MINE, "region": "us-east-1", "table": "gateway-table-0123456"}
TAKEN = "run name: the stack o/p/other has the name cat: set another `name` in the configuration, or destroy that stack"


class Registry:
    """A table with claims: run name -> stack. Notes what it was asked."""

    def __init__(self, claims: Mapping[str, str], error: str | None = None) -> None:
        self._claims = claims
        self._error = error
        self.asked: list[str] = []

    def query(self, **given: Any) -> Mapping[str, Any]:
        begins = given["ExpressionAttributeValues"][":begins"]["S"]
        self.asked.append(f"{given['TableName']} {begins}")
        if self._error is not None:
            raise ClientError({"Error": {"Code": self._error, "Message": "said"}}, "Query")
        items = [
            {"pk": {"S": "registry"}, "sk": {"S": f"claim#{run}"}, "owner": {"S": owner}}
            for run, owner in self._claims.items()
        ]
        return {"Items": [item for item in items if item["sk"]["S"].startswith(begins)]}


def provider(table: Registry) -> RunNameProvider:
    return RunNameProvider(lambda region, profile: table)


@pytest.mark.parametrize("claims", [{}, {"cat-2": OTHER}], ids=["free", "a longer one"])
def test_a_name_that_no_other_stack_has(claims: Mapping[str, str]) -> None:
    table = Registry(claims)
    assert provider(table).create(PROPS).outs == PROPS
    assert table.asked == ["gateway-table-0123456 claim#cat"]


def test_a_name_that_another_stack_has_is_refused_with_that_stack() -> None:
    with pytest.raises(RuntimeError) as refused:
        provider(Registry({"cat": OTHER, "cat-2": MINE})).create(PROPS)
    assert str(refused.value) == TAKEN


def test_a_claim_of_this_stack_that_is_not_in_its_state_is_refused_with_what_is_left_to_delete() -> None:
    with pytest.raises(RuntimeError) as refused:
        provider(Registry({"cat": MINE})).create(PROPS)
    delete = "aws dynamodb delete-item --table-name gateway-table-0123456 --key"
    assert str(refused.value) == (
        "run name: the gateway's table has a claim of o/p/mine for the name cat, but the state of this stack does not "
        "have it: pulumi stack rm --force removed the state and left the resources, and instances that still run cost "
        "money. List what is left: aws resourcegroupstaggingapi get-resources --tag-filters "
        "Key=servestack:stack,Values=o/p/mine --region us-east-1. Delete it, then the run: "
        f"""{delete} '{{"pk": {{"S": "registry"}}, "sk": {{"S": "run#cat"}}}}' --region us-east-1; """
        f"""{delete} '{{"pk": {{"S": "registry"}}, "sk": {{"S": "claim#cat"}}}}' --region us-east-1"""
    )


def test_an_update_finds_its_own_claim() -> None:
    after = {**PROPS, "region": "eu-west-1"}
    assert provider(Registry({"cat": MINE})).update("id", PROPS, after).outs == after


def test_in_the_engine_the_refusal_is_its_message_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "tracebacklimit", 1000, raising=False)
    asking = provider(Registry({"cat": OTHER}))
    asking.configure(ConfigureRequest(Config({}, "servestack")))
    shown = ""
    try:
        asking.create(PROPS)
    except Exception:
        shown = traceback.format_exc()
    assert shown == f"{TAKEN}\n"


@pytest.mark.parametrize("error", ["AccessDeniedException", "ResourceNotFoundException"])
def test_where_the_table_does_not_answer_the_claim_decides(error: str) -> None:
    assert provider(Registry({"cat": OTHER}, error)).create(PROPS).outs == PROPS


@pytest.mark.parametrize(
    ("change", "differs", "asks"),
    [
        ({}, False, False),
        ({"owner": "o/p/renamed"}, True, False),
        ({"profile": "llm"}, True, False),
        ({"table": "another"}, True, True),
        ({"region": "eu-west-1"}, True, True),
        ({"__provider": "changed"}, False, False),
    ],
)
def test_it_asks_again_where_the_name_is_claimed_elsewhere(change: dict[str, str], differs: bool, asks: bool) -> None:
    table, after = Registry({}), {**PROPS, **change}
    assert provider(table).diff("id", PROPS, after).changes is differs
    assert provider(table).update("id", PROPS, after).outs == after
    assert bool(table.asked) is asks
