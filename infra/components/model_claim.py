"""The claim of a model name in the gateway's table: which runs of the gateway have the name.

The claim of a run name is an item that is written only if it does not exist. The claim of a model name can have several
runs, if each of them has a weight, and one condition of DynamoDB cannot say that. So this resource reads the table,
decides, and writes the item only if it is still the one that it read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pulumi
from pulumi import dynamic

from gateway_lambda.registry.record import ModelClaim
from infra.components.dynamic_provider import DynamicProvider, dynamodb
from infra.planning.model_names import WantedName, claimed, given_up, read_registered
from infra.planning.table_items import MODEL, PARTITION_KEY, RECORD, REGISTRY, SORT_KEY, model_item
from infra.preflight.aws_errors import aws_failures, error_code, in_words
from infra.preflight.registry import registry_items

MOST_TRIES = 5
"""Each fails only if another stack wrote the same item in the same moment."""
_REPLACED = ("model", "run", "table", "region")
_UPDATED = ("owner", "shared", "profile")


class Table(Protocol):
    """boto3's `dynamodb`."""

    def query(self, **asked: Any) -> Mapping[str, Any]: ...
    def put_item(self, **asked: Any) -> object: ...
    def delete_item(self, **asked: Any) -> object: ...


class ModelClaimProvider(DynamicProvider):
    """Claims a model name. If another run has the name, it fails and names the run and its stack."""

    def __init__(self, client: Callable[[str, str | None], Table] = dynamodb) -> None:
        super().__init__()
        self._client = client

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        self._claim(props)
        return dynamic.CreateResult(id_=f"{props['table']} {props['model']} {props['run']}", outs=props)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.DiffResult:
        replaced = [name for name in _REPLACED if _olds.get(name) != _news.get(name)]
        updated = any(_olds.get(name) != _news.get(name) for name in _UPDATED)
        return dynamic.DiffResult(changes=updated or bool(replaced), replaces=replaced)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.UpdateResult:
        self._claim(_news)
        return dynamic.UpdateResult(outs=_news)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        def give_up(table: Table) -> bool:
            item = _item_of(registry_items(table, str(_props["table"]), f"{MODEL}{_props['model']}"), _props)
            before = read_registered([] if item is None else [item]).claims.get(str(_props["model"]))
            if item is None or before is None:
                return True
            return _replace(table, _props, item, given_up(before, str(_props["run"]), str(_props["owner"])))

        self._until_written(_props, give_up, gone_is_well=True)

    def _claim(self, props: Mapping[str, Any]) -> None:
        wanted = WantedName(
            model=str(props["model"]),
            run=str(props["run"]),
            owner=str(props["owner"]),
            shared=bool(props["shared"]),
        )

        def claim(table: Table) -> bool:
            items = list(registry_items(table, str(props["table"])))
            after, refusal = claimed(read_registered(items), wanted)
            if refusal is not None:
                raise self.refusal(RuntimeError(refusal)) from None
            return _replace(table, props, _item_of(items, props), after)

        self._until_written(props, claim)

    def _until_written(
        self, props: Mapping[str, Any], write: Callable[[Table], bool], *, gone_is_well: bool = False
    ) -> None:
        """`gone_is_well`: if the table no longer exists, there is nothing to do."""
        why = "other stacks change it at the same time"
        try:
            table = self._client(str(props["region"]), props.get("profile"))
            if any(write(table) for _ in range(MOST_TRIES)):
                return
        except aws_failures() as error:
            if gone_is_well and error_code(error) == "ResourceNotFoundException":
                return
            why = in_words(error)
        message = (
            f"model name {props['model']}: its claim cannot be written to the gateway's table {props['table']}: {why}. "
            "Run the same command again"
        )
        raise self.refusal(RuntimeError(message)) from None


@dataclass(frozen=True, kw_only=True)
class ModelClaimArgs:
    """The run and its model name."""

    model: str
    run: str
    owner: str
    """Full name of the stack."""
    shared: bool
    """Whether others may have it too."""
    region: pulumi.Input[str]
    table: pulumi.Input[str]
    profile: str | None
    """The AWS profile to ask with; `None`: the caller's own credentials."""


class ModelNameClaim(dynamic.Resource):
    """Created before anything that costs money, and deleted after it. A new name is claimed before the old one goes."""

    def __init__(self, name: str, args: ModelClaimArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        inputs: dict[str, pulumi.Input[Any]] = {
            "model": args.model,
            "run": args.run,
            "owner": args.owner,
            "shared": args.shared,
            "region": args.region,
            "table": args.table,
            **({} if args.profile is None else {"profile": args.profile}),
        }
        super().__init__(ModelClaimProvider(), name, inputs, opts)


def _item_of(items: Sequence[Mapping[str, Any]], props: Mapping[str, Any]) -> Mapping[str, Any] | None:
    sort = f"{MODEL}{props['model']}"
    return next((item for item in items if item[SORT_KEY]["S"] == sort), None)


def _replace(
    table: Table, props: Mapping[str, Any], before: Mapping[str, Any] | None, after: ModelClaim | None
) -> bool:
    """Write the claim if its item is still `before`, and return whether it was."""
    if before is None:
        condition: dict[str, Any] = {"ConditionExpression": f"attribute_not_exists({PARTITION_KEY})"}
    else:
        condition = {
            "ConditionExpression": "#record = :before",
            "ExpressionAttributeNames": {"#record": RECORD},
            "ExpressionAttributeValues": {":before": before[RECORD]},
        }
    try:
        if after is None:
            key = {PARTITION_KEY: {"S": REGISTRY}, SORT_KEY: {"S": f"{MODEL}{props['model']}"}}
            table.delete_item(TableName=str(props["table"]), Key=key, **condition)
        else:
            table.put_item(TableName=str(props["table"]), Item=json.loads(model_item(after)), **condition)
    except aws_failures() as error:
        if error_code(error) == "ConditionalCheckFailedException":
            return False
        raise
    return True
