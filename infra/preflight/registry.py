"""What the gateway's table says about names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from infra.planning.table_items import PARTITION_KEY, REGISTRY, SORT_KEY
from infra.preflight.aws_errors import collected


class Queried(Protocol):
    """boto3's `dynamodb`."""

    def query(self, **asked: Any) -> Mapping[str, Any]: ...


def registry_items(table: Queried, name: str, begins: str = "") -> Sequence[Mapping[str, Any]]:
    """Return the items of the partition `registry` as they are now. `begins`: only items whose sort key begins with it.
    Raises what boto3 raises."""
    condition, values = f"{PARTITION_KEY} = :registry", {":registry": {"S": REGISTRY}}
    if begins:
        condition, values = f"{condition} AND begins_with({SORT_KEY}, :begins)", {**values, ":begins": {"S": begins}}
    return list(
        collected(
            table.query,
            "Items",
            token="LastEvaluatedKey",  # noqa: S106
            resume="ExclusiveStartKey",
            TableName=name,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            ConsistentRead=True,
        )
    )
