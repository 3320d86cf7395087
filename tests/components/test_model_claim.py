"""Claiming a model name in the gateway's table, with real boto3 clients against moto."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from pulumi.dynamic import Config, ConfigureRequest

from infra.components.model_claim import MOST_TRIES, ModelClaimProvider
from infra.planning.table_items import claim_item

TABLE = "gateway-table"
M = "org/name:tag"


def props(run: str = "a", **changed: Any) -> dict[str, Any]:
    given = {"model": M, "run": run, "owner": f"o/p/{run}", "shared": False, "region": "us-east-1", "table": TABLE}
    return {**given, "__provider": "…", **changed}


class Registry:
    """The gateway's table, and what stacks do with it."""

    def __init__(self) -> None:
        self.client: Any = boto3.client("dynamodb", "us-east-1")
        keys = {"pk": "HASH", "sk": "RANGE"}
        self.client.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
        )

    def runs(self, *names: str) -> None:
        for name in names:
            self.client.put_item(TableName=TABLE, Item=json.loads(claim_item(name, f"o/p/{name}")))

    def holders(self, model: str = M) -> tuple[list[str], bool] | None:
        """The runs that have a model name, and whether they share it."""
        key = {"pk": {"S": "registry"}, "sk": {"S": f"model#{model}"}}
        item = self.client.get_item(TableName=TABLE, Key=key, ConsistentRead=True).get("Item")
        if item is None:
            return None
        record = json.loads(item["record"]["S"])
        return [holder["run"] for holder in record["holders"]], record["shared"]


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield Registry()


class Meddling:
    """boto3's client, before whose first writes something else happens."""

    def __init__(self, client: Any, meddle: Callable[[], None], times: int = 1) -> None:
        self._client = client
        self._meddle = meddle
        self._times = times

    def query(self, **asked: Any) -> Mapping[str, Any]:
        return self._client.query(**asked)

    def put_item(self, **asked: Any) -> object:
        self._first()
        return self._client.put_item(**asked)

    def delete_item(self, **asked: Any) -> object:
        self._first()
        return self._client.delete_item(**asked)

    def _first(self) -> None:
        if self._times:
            self._times -= 1
            self._meddle()


def test_the_second_run_of_a_name_fails_and_says_who_has_it(registry: Registry) -> None:
    registry.runs("a", "b")
    provider = ModelClaimProvider()
    made = provider.create(props())
    assert made.outs == props()
    with pytest.raises(RuntimeError) as refused:
        provider.create(props("b"))
    assert str(refused.value) == (
        f"{M} is the model name of the run a (stack o/p/a): choose another model.name, or let the runs share its "
        "requests: first pulumi config set weight 1 --stack o/p/a and pulumi up there, then pulumi config set weight 1 "
        "here"
    )
    assert registry.holders() == (["a"], False)
    provider.create(props("b", model="another"))
    provider.delete(made.id, props())
    assert registry.holders() is None
    provider.create(props("b"))
    assert registry.holders() == (["b"], False)


def test_runs_come_to_share_a_name_and_cease_to(registry: Registry) -> None:
    registry.runs("a", "b")
    provider = ModelClaimProvider()
    provider.create(props())
    with pytest.raises(RuntimeError, match=r"first pulumi config set weight 1 --stack o/p/a and pulumi up there$"):
        provider.create(props("b", shared=True))
    provider.update("id", props(), props(shared=True))
    provider.create(props("b", shared=True))
    assert registry.holders() == (["a", "b"], True)
    with pytest.raises(RuntimeError, match=r"only runs with a weight share it: give this run a weight"):
        provider.update("id", props(shared=True), props())
    assert registry.holders() == (["a", "b"], True)
    provider.delete("id", props("a", shared=True))
    assert registry.holders() == (["b"], True)
    provider.update("id", props("b", shared=True), props("b"))
    assert registry.holders() == (["b"], False)


def test_an_update_that_was_cut_short_may_claim_again(registry: Registry) -> None:
    """The item was written, and the stack's state was not."""
    registry.runs("a")
    for _ in range(2):
        ModelClaimProvider().create(props())
    assert registry.holders() == (["a"], False)


def test_what_a_stack_left_that_is_gone_is_free(registry: Registry) -> None:
    registry.runs("b")
    provider = ModelClaimProvider()
    provider.create(props())
    provider.create(props("b"))
    assert registry.holders() == (["b"], False)
    provider.delete("id", props())
    assert registry.holders() == (["b"], False), "and who comes back to delete it takes nothing of the other's"


def test_of_two_that_claim_at_once_one_gets_it(registry: Registry) -> None:
    registry.runs("a", "b")
    client = Meddling(registry.client, lambda: ModelClaimProvider().create(props("b")) and None)
    with pytest.raises(RuntimeError, match="is the model name of the run b"):
        ModelClaimProvider(lambda region, profile: client).create(props())
    assert registry.holders() == (["b"], False)


def test_of_two_that_share_at_once_both_do(registry: Registry) -> None:
    registry.runs("a", "b", "c")
    ModelClaimProvider().create(props("c", shared=True))
    client = Meddling(registry.client, lambda: ModelClaimProvider().create(props("b", shared=True)) and None)
    ModelClaimProvider(lambda region, profile: client).create(props(shared=True))
    assert registry.holders() == (["c", "b", "a"], True)
    client = Meddling(registry.client, lambda: ModelClaimProvider().delete("id", props("c")))
    ModelClaimProvider(lambda region, profile: client).delete("id", props("b"))
    assert registry.holders() == (["a"], True)


def test_an_item_that_is_never_still_is_given_up(registry: Registry) -> None:
    registry.runs("a")

    def meddle() -> None:
        number = client.number = client.number + 1  # type: ignore[attr-defined]
        item = {"pk": {"S": "registry"}, "sk": {"S": f"model#{M}"}, "record": {"S": f"{{{number}"}}
        registry.client.put_item(TableName=TABLE, Item=item)

    client = Meddling(registry.client, meddle, MOST_TRIES)
    client.number = 0  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError, match=r"other stacks change it at the same time\. Run the same command again"):
        ModelClaimProvider(lambda region, profile: client).create(props())


@pytest.mark.parametrize(
    ("change", "updates", "replaces"),
    [
        ({}, False, []),
        ({"__provider": "changed"}, False, []),
        ({"shared": True}, True, []),
        ({"owner": "o/p/renamed"}, True, []),
        ({"profile": "llm"}, True, []),
        ({"model": "other"}, True, ["model"]),
        ({"table": "other", "region": "eu-west-1"}, True, ["table", "region"]),
    ],
)
def test_another_name_or_table_is_another_claim(change: dict[str, Any], updates: bool, replaces: list[str]) -> None:
    found = ModelClaimProvider().diff("id", props(), props(**change))
    assert (found.changes, found.replaces) == (updates, replaces)
    assert not found.delete_before_replace, "the new name is claimed before the old one goes"


def refusing(code: str) -> ModelClaimProvider:
    def fail(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": "said"}}, "Query")

    table = Meddling(None, lambda: None)
    table.query = fail  # type: ignore[method-assign]
    return ModelClaimProvider(lambda region, profile: table)


def test_what_aws_refuses_is_said() -> None:
    provider = refusing("AccessDeniedException")
    for ask in (lambda: provider.create(props()), lambda: provider.delete("id", props())):
        with pytest.raises(RuntimeError) as refused:
            ask()
        assert str(refused.value) == (
            f"model name {M}: its claim cannot be written to the gateway's table gateway-table: "
            "AccessDeniedException: said. Run the same command again"
        )


def test_a_claim_in_a_table_that_is_gone_is_deleted() -> None:
    refusing("ResourceNotFoundException").delete("id", props())


def test_a_profile_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(RuntimeError, match=r"profile \(nobody\) could not be found"):
        ModelClaimProvider().create(props(profile="nobody"))


def test_in_the_engine_a_refusal_is_shown_without_pulumi_s_frames(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "tracebacklimit", 1000, raising=False)
    registry.runs("a", "b")
    provider = ModelClaimProvider()
    provider.configure(ConfigureRequest(Config({}, "servestack")))
    provider.create(props())
    shown = ""
    try:
        provider.create(props("b"))
    except Exception:
        shown = traceback.format_exc()
    assert shown.startswith(f"{M} is the model name of the run a (stack o/p/a): ")
    assert shown.count("\n") == 1
