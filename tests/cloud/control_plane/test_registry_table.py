"""The gateway's table here: conditions, sets and pages are those that the gateway, its stack and replicas rely on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from gateway_lambda.registry import table_counters
from gateway_lambda.registry.counters import DAY, SECOND, Entry, Limits, MemoryCounters, Rate, Verdict
from gateway_lambda.registry.table_client import TableClient
from infra.planning.table_items import claim_item
from tests.cloud.control_plane.conftest import Running

NOW = 22_000 * DAY - 100 * SECOND
"""Shortly before midnight."""
KEY_SCHEMA = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]


@pytest.fixture
def table(plane: Running, request: pytest.FixtureRequest) -> Iterator[str]:
    dynamodb, name = plane.client("dynamodb"), request.node.name.replace("[", "-").strip("]")[:200]
    attributes = [{"AttributeName": one["AttributeName"], "AttributeType": "S"} for one in KEY_SCHEMA]
    dynamodb.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=KEY_SCHEMA, AttributeDefinitions=attributes
    )
    yield name
    dynamodb.delete_table(TableName=name)


def test_limits_count_there_as_in_memory(plane: Running, table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PATIENCE", "PATIENCE_TO_CONNECT", "PATIENCE_AT_END"):
        monkeypatch.setattr(table_counters, name, 60.0)  # this machine is busy, and a late answer is not counted
    limits = Limits(rate=Rate(SECOND, 3 * SECOND), tokens_per_day=100, max_concurrent=2)
    begun = [0, 0, 0, 0, 1, 9, 9, 100, 101, 102]
    entries = [Entry("key#a", limits, f"request-{n}", NOW + at * SECOND) for n, at in enumerate(begun)]
    ended = {1: (0, 40), 4: (1, 30), 5: (4, 70), 7: (6, 0)}
    """Before a request begins: which one has ended, with how many tokens."""

    async def counted(counters: Any) -> list[Verdict | None]:
        verdicts: list[Verdict | None] = []
        for number, entry in enumerate(entries):
            if number in ended:
                other, tokens = ended[number]
                await counters.end(entries[other], tokens, entry.begun)
            verdicts.append(await counters.begin(entry))
        counters.close()
        return verdicts

    shared = table_counters.TableCounters(TableClient(table, plane.environment))
    assert asyncio.run(counted(shared)) == asyncio.run(counted(MemoryCounters()))


def test_a_run_name_is_claimed_once(plane: Running, table: str) -> None:
    dynamodb = plane.client("dynamodb")
    condition = {"ConditionExpression": "attribute_not_exists(pk)"}
    dynamodb.put_item(TableName=table, Item=json.loads(claim_item("one", "o/p/one")), **condition)
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.put_item(TableName=table, Item=json.loads(claim_item("one", "o/p/two")), **condition)
    assert dynamodb.scan(TableName=table)["Items"] == [json.loads(claim_item("one", "o/p/one"))]


def test_a_partition_comes_in_pages_of_a_megabyte(plane: Running, table: str) -> None:
    dynamodb = plane.client("dynamodb")
    for number in range(4):
        item = {"pk": {"S": "registry"}, "sk": {"S": f"run#{number}"}, "record": {"S": str(number) * 390_000}}
        dynamodb.put_item(TableName=table, Item=item)
    client = TableClient(table, plane.environment)
    pages = asyncio.run(client.query("registry", consistent=True))
    client.close()
    found = [[item["sk"]["S"] for item in json.loads(page)["Items"]] for page in pages]
    assert found == [["run#0", "run#1", "run#2"], ["run#3"]] or found == [["run#0", "run#1"], ["run#2", "run#3"]]


def test_the_registry_is_read_by_a_prefix(plane: Running, table: str) -> None:
    dynamodb = plane.client("dynamodb")
    for name in ("claim#a", "run#a", "run#b", "key#default"):
        dynamodb.put_item(TableName=table, Item={"pk": {"S": "registry"}, "sk": {"S": name}})
    found = dynamodb.query(
        TableName=table,
        KeyConditionExpression="pk = :registry AND begins_with(sk, :run)",
        ExpressionAttributeValues={":registry": {"S": "registry"}, ":run": {"S": "run#"}},
    )
    assert [item["sk"]["S"] for item in found["Items"]] == ["run#a", "run#b"]
