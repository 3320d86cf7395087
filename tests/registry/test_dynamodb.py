"""When the table is looked at, how long a request waits for it, and what serves where it cannot be read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from gateway_lambda.errors import ServiceError
from gateway_lambda.registry import dynamodb
from gateway_lambda.registry.dynamodb import DynamoRegistry
from gateway_lambda.registry.file import RegistryError
from gateway_lambda.registry.opening import open_registry
from gateway_lambda.registry.table import Table
from gateway_lambda.registry.table_client import TableClient
from tests.registry import scripted_dynamodb
from tests.registry.conftest import PATIENT
from tests.registry.scripted_dynamodb import ENVIRONMENT

pytestmark = pytest.mark.usefixtures("patient")

DIGEST = "b" * 64


class Clock:
    """Seconds since 1970, as a test says."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def table() -> Iterator[scripted_dynamodb.Table]:
    with scripted_dynamodb.scripted_dynamodb() as table:
        table.put_run("a")
        yield table


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry(table: scripted_dynamodb.Table, clock: Clock) -> DynamoRegistry:
    return DynamoRegistry("registry-1", table.environment, clock)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 30))


def names(table: Table) -> list[str]:
    return [service.run for service in table.services]


def test_a_look_is_one_query_of_the_registrys_items(table: scripted_dynamodb.Table, registry: DynamoRegistry) -> None:
    table.put("claim#a", owner={"S": "stack"})
    table.put("key#alice", sha256={"S": DIGEST}, runs={"L": [{"S": "a"}]})
    found = run(registry.table())
    assert (names(found), found.key(DIGEST).runs) == (["a"], ["a"])
    assert table.asked == [
        {
            "TableName": "registry-1",
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": "registry"}},
            "ConsistentRead": False,
        }
    ]
    assert {name: table.headers[0][name] for name in ("x-amz-target", "content-type", "x-amz-security-token")} == {
        "x-amz-target": "DynamoDB_20120810.Query",
        "content-type": "application/x-amz-json-1.0",
        "x-amz-security-token": ENVIRONMENT["AWS_SESSION_TOKEN"],
    }


def test_an_answer_in_pages_is_read_to_its_end(table: scripted_dynamodb.Table, registry: DynamoRegistry) -> None:
    for number in range(10):
        table.put_run(f"b{number}")
    table.page = 4
    assert names(run(registry.table())) == ["a", *(f"b{number}" for number in range(10))]
    assert [asked.get("ExclusiveStartKey", {}).get("sk") for asked in table.asked] == [
        None,
        {"S": "run#b2"},
        {"S": "run#b6"},
    ]


def test_a_copy_of_the_last_thirty_seconds_serves_without_a_look(
    table: scripted_dynamodb.Table, registry: DynamoRegistry, clock: Clock
) -> None:
    async def work() -> None:
        assert names(await registry.table()) == ["a"]
        table.put_run("b")
        clock.now += 29.9
        assert names(await registry.table()) == ["a"]
        assert len(table.asked) == 1
        clock.now += 0.2
        assert names(await registry.table()) == ["a", "b"]
        assert len(table.asked) == 2
        clock.now -= 3600
        assert names(await registry.table()) == ["a", "b"]
        assert len(table.asked) == 3, "a clock that was set back makes no copy fresh"

    run(work())


def test_what_is_unknown_forces_one_look_a_second_which_sees_what_was_just_written(
    table: scripted_dynamodb.Table, registry: DynamoRegistry, clock: Clock
) -> None:
    async def work() -> None:
        await registry.table()
        table.put_run("b")
        assert names(await registry.refreshed()) == ["a", "b"], "however young the copy is, it was not asked for this"
        table.put_run("c")
        clock.now += 0.9
        for _ in range(5):
            assert names(await registry.refreshed()) == ["a", "b"]
        clock.now += 0.2
        for _ in range(5):
            assert names(await registry.refreshed()) == ["a", "b", "c"]
        assert names(await registry.table()) == ["a", "b", "c"]
        assert [asked["ConsistentRead"] for asked in table.asked] == [False, True, True]

    run(work())


def test_a_forced_look_that_failed_is_503_and_is_not_repeated_within_a_second(
    table: scripted_dynamodb.Table, registry: DynamoRegistry, clock: Clock
) -> None:
    async def work() -> None:
        before = await registry.table()
        table.refusal = (400, {"__type": "x#ThrottlingException"})
        clock.now += 31
        assert await registry.table() is before
        for _ in range(3):
            with pytest.raises(ServiceError) as told:
                await registry.refreshed()
            assert told.value.status == 503, "what the copy does not have can be in the table"
        assert [asked["ConsistentRead"] for asked in table.asked] == [False, False, True]
        assert await registry.table() is before, "the copy still serves what it has"
        clock.now += 1.1
        table.refusal = None
        table.put_run("b")
        assert names(await registry.refreshed()) == ["a", "b"]

    run(work())


def test_what_is_unknown_waits_longer_than_what_a_copy_has(
    table: scripted_dynamodb.Table, registry: DynamoRegistry, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dynamodb, "PATIENCE", 0.3)

    async def work() -> None:
        before = await registry.table()
        table.put_run("b")
        table.go.clear()
        clock.now += 31
        assert await registry.table() is before
        clock.now += 1.1
        asking = asyncio.create_task(registry.refreshed())
        await asyncio.to_thread(_wait_for_query, table, consistent=True)
        assert await registry.table() is before, "it does not wait for what another request needs"
        await asyncio.sleep(2 * dynamodb.PATIENCE)
        assert not asking.done()
        table.go.set()
        assert names(await asking) == ["a", "b"]

    run(work())


def test_requests_that_come_together_share_looks(table: scripted_dynamodb.Table, registry: DynamoRegistry) -> None:
    async def work() -> None:
        found = await asyncio.gather(*(registry.table() for _ in range(20)), *(registry.refreshed() for _ in range(20)))
        assert {id(each) for each in found} == {id(found[0])}
        looks = [asked["ConsistentRead"] for asked in table.asked]
        assert looks == [False, True], "a look that is not consistent can miss what was just written"

    run(work())


def test_a_request_that_is_given_up_takes_nobody_elses_look_with_it(
    table: scripted_dynamodb.Table, registry: DynamoRegistry
) -> None:
    async def work() -> None:
        table.go.clear()
        leaving = asyncio.create_task(registry.table())
        staying = asyncio.create_task(registry.table())
        await asyncio.to_thread(_wait_for_query, table, consistent=False)
        leaving.cancel()
        table.go.set()
        assert names(await staying) == ["a"]
        assert len(table.asked) == 1
        with pytest.raises(asyncio.CancelledError):
            await leaving

    run(work())


@pytest.mark.parametrize("trouble", ["silent", "refused", "nonsense", "closed"])
def test_the_last_good_copy_serves_for_five_minutes_then_there_is_503(
    table: scripted_dynamodb.Table,
    registry: DynamoRegistry,
    clock: Clock,
    trouble: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: list[str] = []
    query = TableClient.query

    async def counted(client: TableClient, partition: str, *, consistent: bool) -> list[bytes]:
        looks.append(partition)
        return await query(client, partition, consistent=consistent)

    monkeypatch.setattr(TableClient, "query", counted)

    def wait_for(with_copy: float = PATIENT, without: float = PATIENT) -> None:
        monkeypatch.setattr(dynamodb, "PATIENCE", with_copy)
        monkeypatch.setattr(dynamodb, "PATIENCE_WITHOUT", without)

    async def work() -> None:
        before = await registry.table()
        table.put_run("b")
        _make(table, trouble)
        clock.now += 31
        if trouble == "silent":
            wait_for(with_copy=0.1)
        assert await registry.table() is before
        assert await registry.table() is before
        assert len(looks) == 2, "a look that failed is not repeated at once"
        clock.now += 268.9
        assert await registry.table() is before
        clock.now += 0.2
        if trouble == "silent":
            wait_for(without=0.1)
        with pytest.raises(ServiceError) as told:
            await registry.table()
        assert (told.value.status, told.value.code) == (503, "service_unavailable")
        with pytest.raises(ServiceError):
            await registry.refreshed()
        wait_for()
        _mend(table)
        assert names(await registry.table()) == ["a", "b"]

    with caplog.at_level(logging.ERROR):
        run(work())
    said = [record.getMessage() for record in caplog.records]
    assert [("the gateway uses the last good copy" in line, "the gateway has no copy" in line) for line in said] == [
        (True, False),
        (True, False),
        (False, True),
        (False, True),
    ]
    assert all("registry table registry-1 cannot be read" in line for line in said)
    assert "no-log-may-hold" not in caplog.text


def test_without_a_first_copy_every_request_looks(table: scripted_dynamodb.Table, registry: DynamoRegistry) -> None:
    async def work() -> None:
        table.refusal = (500, {"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError"})
        for _ in range(2):
            with pytest.raises(ServiceError):
                await registry.table()
        table.refusal = None
        assert names(await registry.table()) == ["a"]

    run(work())


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        (
            (
                400,
                {"__type": "com.amazon.coral.service#AccessDeniedException", "Message": "User: arn:x is not allowed"},
            ),
            "DynamoDB answered 400 AccessDeniedException: User: arn:x is not allowed",
        ),
        (
            (400, {"__type": "x#ResourceNotFoundException", "message": "no such table"}),
            "DynamoDB answered 400 ResourceNotFoundException: no such table",
        ),
        (
            (
                400,
                {"__type": "x#InvalidSignatureException", "message": "the string was … a-token-that-no-log-may-hold"},
            ),
            "DynamoDB answered 400 InvalidSignatureException",
        ),
        (
            (400, {"__type": "x#ExpiredTokenException", "message": "a-token…"}),
            "DynamoDB answered 400 ExpiredTokenException",
        ),
        ((503, {}), "DynamoDB answered 503 "),
    ],
)
def test_a_refusal_is_logged_with_its_kind_and_no_token(
    table: scripted_dynamodb.Table,
    registry: DynamoRegistry,
    refusal: tuple[int, dict[str, str]],
    told: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    table.refusal = refusal
    with caplog.at_level(logging.DEBUG), pytest.raises(ServiceError):
        run(registry.table())
    assert [
        record.getMessage().rpartition(": Dyn")[2] for record in caplog.records if record.levelno >= logging.ERROR
    ] == [told.removeprefix("Dyn")]
    assert "no-log-may-hold" not in caplog.text


def test_a_broken_item_is_told_once_and_the_rest_serves(
    table: scripted_dynamodb.Table, registry: DynamoRegistry, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        table.put("run#broken", record={"S": '{"run": "broken", "model": {"name": "m", "upstream_api_key": 5}}'})
        for number in range(3):
            table.put_run(f"b{number}")
            assert names(await registry.table()) == ["a", *(f"b{each}" for each in range(number + 1))]
            clock.now += 31
        table.put_run("broken")
        assert "broken" in names(await registry.table())

    with caplog.at_level(logging.ERROR):
        run(work())
    assert [record.getMessage() for record in caplog.records] == [
        "registry table registry-1: the gateway ignores an item: "
        "run#broken: Expected `str | null`, got `int` - at `$.model.upstream_api_key`"
    ]


def test_what_did_not_change_stays_the_same_objects(
    table: scripted_dynamodb.Table, registry: DynamoRegistry, clock: Clock
) -> None:
    async def work() -> None:
        first = await registry.table()
        clock.now += 31
        second = await registry.table()
        table.put_run("b")
        clock.now += 31
        third = await registry.table()
        assert len(table.asked) == 3
        assert second is first
        assert third is not first
        assert third.run("a") is first.run("a")

    run(work())


def test_credentials_are_read_at_every_look(table: scripted_dynamodb.Table, clock: Clock) -> None:
    environment = table.environment
    registry = DynamoRegistry("registry-1", environment, clock)

    async def work() -> None:
        await registry.table()
        environment["AWS_ACCESS_KEY_ID"] = "ASIANEXT"
        del environment["AWS_SESSION_TOKEN"]
        clock.now += 31
        await registry.table()

    run(work())
    first, second = table.headers
    assert "Credential=ASIAQUITEANEXAMPLE/" in first["authorization"]
    assert "Credential=ASIANEXT/" in second["authorization"]
    assert "x-amz-security-token" not in second


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN"])
def test_credentials_that_would_be_another_header_are_not_sent(
    table: scripted_dynamodb.Table, clock: Clock, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    spoilt = "a-token-that-no-log-may-hold\r\nx-amz-target: DynamoDB_20120810.DeleteTable"
    registry = DynamoRegistry("registry-1", {**table.environment, name: spoilt}, clock)
    with caplog.at_level(logging.ERROR), pytest.raises(ServiceError):
        run(registry.table())
    assert table.asked == []
    assert "has a control character" in caplog.text
    assert "no-log-may-hold" not in caplog.text


def test_an_address_may_have_a_path(table: scripted_dynamodb.Table, clock: Clock) -> None:
    registry = DynamoRegistry("registry-1", {**table.environment, "AWS_ENDPOINT_URL": f"{table.url}/aws/"}, clock)
    assert names(run(registry.table())) == ["a"]


@pytest.mark.parametrize(
    ("name", "changed", "told"),
    [
        ("", {}, r"a table's name has 3 to 255"),
        ("a/b", {}, r"'dynamodb:a/b': a table's name"),
        ("table", {"AWS_REGION": ""}, "AWS_REGION is not set"),
        ("table", {"AWS_SECRET_ACCESS_KEY": ""}, "AWS_SECRET_ACCESS_KEY is not set"),
        ("table", {"AWS_ENDPOINT_URL": "ftp://x"}, "address 'ftp://x' cannot be used: use http"),
        ("table", {"AWS_ENDPOINT_URL": "http://x/\r\na: b"}, "cannot be used: use http"),
        ("table", {"AWS_REGION": "eu west-1"}, "cannot be used: use http"),
    ],
)
def test_what_no_look_could_do_without_is_told_at_the_start(name: str, changed: dict[str, str], told: str) -> None:
    with pytest.raises(RegistryError, match=told) as problem:
        open_registry(f"dynamodb:{name}", {**ENVIRONMENT, **changed})
    assert "no-log-may-hold" not in str(problem.value)


def _make(table: scripted_dynamodb.Table, trouble: str) -> None:
    if trouble == "silent":
        table.go.clear()
    elif trouble == "refused":
        table.refusal = (400, {"__type": "x#ProvisionedThroughputExceededException"})
    elif trouble == "nonsense":
        table.raw = b'{"Items": 5}'
    else:
        table.raw = b"{"


def _mend(table: scripted_dynamodb.Table) -> None:
    table.refusal = table.raw = None
    table.go.set()


def _wait_for_query(table: scripted_dynamodb.Table, *, consistent: bool) -> None:
    with table.arrived:
        assert table.arrived.wait_for(
            lambda: any(asked["ConsistentRead"] is consistent for asked in table.asked), PATIENT
        )
