"""What stands in the way of deleting a gateway: the runs that it still routes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import pulumi
from pulumi import dynamic

from infra.planning.table_items import PARTITION_KEY, REGISTRY, SORT_KEY
from infra.preflight.aws_errors import aws_failures, error_code, in_words

RUN = "run#"
SHOWN = 5
"""Run names that an error lists."""


class Table(Protocol):
    """As much as is used of boto3's `dynamodb`."""

    def query(
        self,
        *,
        TableName: str,
        KeyConditionExpression: str,
        ExpressionAttributeValues: Mapping[str, Any],
        ConsistentRead: bool,
    ) -> Mapping[str, Any]: ...


def _client(region: str, profile: str | None) -> Table:
    import boto3

    session: Any = boto3.Session(region_name=region, profile_name=profile)
    return session.client("dynamodb")


class TeardownProvider(dynamic.ResourceProvider):
    """Does nothing but refuse to be deleted while the table has routing items."""

    serialize_as_secret_always = False

    def __init__(self, client: Callable[[str, str | None], Table] = _client) -> None:
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
        runs = routed_runs(self._client(str(_props["region"]), _props.get("profile")), str(_props["table"]))
        if runs:
            more = f" and {len(runs) - SHOWN} more" if len(runs) > SHOWN else ""
            raise RuntimeError(
                f"the gateway still routes to {', '.join(runs[:SHOWN])}{more}: what they run on would stay and be "
                "billed. Destroy their stacks first (docs/teardown.md)"
            )


@dataclass(frozen=True, kw_only=True)
class TeardownArgs:
    """What is deleted only after everything that depends on it."""

    region: str
    table: pulumi.Input[str]
    profile: str | None
    """The AWS profile that is asked with; `None`: the caller's own."""


class Teardown(dynamic.Resource):
    """Made after everything else of a gateway, and therefore deleted before it: a refusal here leaves all as it is."""

    def __init__(self, name: str, args: TeardownArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        inputs: dict[str, pulumi.Input[Any]] = {
            "region": args.region,
            "table": args.table,
            **({} if args.profile is None else {"profile": args.profile}),
        }
        super().__init__(TeardownProvider(), name, inputs, opts)


def routed_runs(table: Table, name: str) -> list[str]:
    """Names of the runs that the table has routing items of; none where there is no table any more. A page of a Query
    suffices to know that there are any. Raises RuntimeError where AWS does not say."""
    try:
        found = table.query(
            TableName=name,
            KeyConditionExpression=f"{PARTITION_KEY} = :registry AND begins_with({SORT_KEY}, :run)",
            ExpressionAttributeValues={":registry": {"S": REGISTRY}, ":run": {"S": RUN}},
            ConsistentRead=True,
        )
    except aws_failures() as error:
        if error_code(error) == "ResourceNotFoundException":
            return []
        raise RuntimeError(f"which runs the gateway still routes to could not be asked: {in_words(error)}") from None
    return [str(item[SORT_KEY]["S"]).removeprefix(RUN) for item in found["Items"]]
