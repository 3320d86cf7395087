"""Refuses to delete a gateway that still has runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi import dynamic

from infra.components.dynamic_provider import DynamicProvider, dynamodb
from infra.planning.table_items import CLAIM, OWNER, PARTITION_KEY, REGISTRY, RUN, SORT_KEY
from infra.preflight.aws_errors import aws_failures, error_code, in_words
from infra.readiness import Table

SHOWN = 5
"""Runs that an error lists."""


class TeardownProvider(DynamicProvider):
    """Refuses to be deleted while the table has runs, and does nothing else."""

    def __init__(self, client: Callable[[str, str | None], Table] = dynamodb) -> None:
        super().__init__()
        self._client = client

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        return dynamic.CreateResult(id_=str(props["table"]), outs=props)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.DiffResult:
        return dynamic.DiffResult(
            changes=any(_olds.get(name) != _news.get(name) for name in ("table", "region", "profile"))
        )

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.UpdateResult:
        return dynamic.UpdateResult(outs=_news)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        refusal = self._refusal(str(_props["region"]), _props.get("profile"), str(_props["table"]))
        if refusal is not None:
            raise self.refusal(RuntimeError(refusal)) from None

    def _refusal(self, region: str, profile: str | None, table: str) -> str | None:
        try:
            runs = runs_of(self._client(region, profile), table)
        except aws_failures() as error:
            return f"the gateway stays, because AWS does not say which runs it still has: {in_words(error)}. Try again"
        if not runs:
            return None
        named = [run if owner is None else f"{run} (stack {owner})" for run, owner in runs.items()]
        more = f" and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
        return (
            f"the gateway still has the runs {', '.join(named[:SHOWN])}{more}, whose instances would stay and cost "
            "money. Destroy their stacks first (docs/teardown.md)"
        )


@dataclass(frozen=True, kw_only=True)
class TeardownArgs:
    """The gateway whose runs are counted."""

    region: str
    table: pulumi.Input[str]
    profile: str | None
    """The AWS profile to ask with; `None`: the caller's own credentials."""


class Teardown(dynamic.Resource):
    """Created after everything else of a gateway, and deleted first. So a refusal here leaves everything as it is."""

    def __init__(self, name: str, args: TeardownArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        inputs: dict[str, pulumi.Input[Any]] = {
            "region": args.region,
            "table": args.table,
            **({} if args.profile is None else {"profile": args.profile}),
        }
        super().__init__(TeardownProvider(), name, inputs, opts)


def runs_of(table: Table, name: str) -> Mapping[str, str | None]:
    """Return the runs in the table with the stacks that claim them; `None` for a run of which only the routing record
    is left. Empty: the table does not exist any more. A run with a claim can have instances before it has a routing
    record, and after. One page of a Query is enough, because it shows whether there are any. Raises what boto3
    raises."""
    claims = _items(table, name, CLAIM)
    routes = _items(table, name, RUN)
    owners = {str(item[SORT_KEY]["S"]).removeprefix(CLAIM): str(item[OWNER]["S"]) for item in claims}
    routed = {str(item[SORT_KEY]["S"]).removeprefix(RUN): None for item in routes}
    return dict(sorted({**routed, **owners}.items()))


def _items(table: Table, name: str, prefix: str) -> Sequence[Mapping[str, Any]]:
    try:
        found = table.query(
            TableName=name,
            KeyConditionExpression=f"{PARTITION_KEY} = :registry AND begins_with({SORT_KEY}, :run)",
            ExpressionAttributeValues={":registry": {"S": REGISTRY}, ":run": {"S": prefix}},
            ConsistentRead=True,
        )
    except aws_failures() as error:
        if error_code(error) == "ResourceNotFoundException":
            return []
        raise
    return found["Items"]
