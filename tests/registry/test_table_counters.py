"""What counting in the table costs, and what holds when the table or an instance fails."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import boto3.dynamodb.types
import pytest

from gateway_lambda.registry import table_client, table_counters
from gateway_lambda.registry.counters import DAY, SECOND, Counted, Entry, Limits, Verdict, per_minute
from gateway_lambda.registry.table_client import TableClient
from gateway_lambda.registry.table_counters import TableCounters
from gateway_lambda.upstream.response import BrokenOff
from tests.registry.emulator import TABLE, Account
from tests.registry.scripted_dynamodb import ENVIRONMENT, Table, scripted_dynamodb
from tests.support.processes import ROOT

pytestmark = [pytest.mark.xdist_group("emulator"), pytest.mark.usefixtures("patient")]

NOON = 20_000 * DAY + DAY // 2
ALL = Limits(per_minute(3), 100, 2)
PASSES = "limits cannot be counted in the table registry-1, and the gateway lets a request pass: "


class Watched(TableClient):
    """Remembers the updates that it sends."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__(TABLE, environment)
        self.updates: list[Mapping[str, Any]] = []

    async def ask(self, operation: str, asked: Mapping[str, Any]) -> bytes:
        assert operation == "UpdateItem"
        _check_names(asked)
        self.updates.append(asked)
        return await super().ask(operation, asked)


def _check_names(asked: Mapping[str, Any]) -> None:
    """DynamoDB refuses an update with a name or a value that no expression uses, and one with a clause twice."""
    expression = asked["UpdateExpression"]
    used = f"{expression} {asked.get('ConditionExpression', '')}"
    assert set(re.findall(r"#\w+", used)) == set(asked["ExpressionAttributeNames"])
    assert set(re.findall(r":\w+", used)) == set(asked["ExpressionAttributeValues"])
    assert all(expression.count(clause) <= 1 for clause in ("SET ", "ADD ", "DELETE "))


class Instance:
    """One instance of the function."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.client = Watched(environment)
        self.counters = TableCounters(self.client)
        self._entries: dict[str, Entry] = {}

    async def begin(self, request: str, limits: Limits = ALL, now: int = NOON) -> tuple[Verdict | None, int]:
        """What it says, and how many updates it sent."""
        before = len(self.client.updates)
        entry = self._entries[request] = Entry("key#alice", limits, request, now)
        verdict = await self.counters.begin(entry)
        return verdict, len(self.client.updates) - before

    async def end(self, request: str, tokens: int = 0, now: int = NOON) -> int:
        before = len(self.client.updates)
        await self.counters.end(self._entries[request], tokens, now)
        return len(self.client.updates) - before


def run(environment: Mapping[str, str], work: Callable[..., Awaitable[None]], instances: int = 1) -> None:
    """Give instances to `work`, and close their connections then."""

    async def all_of_it() -> None:
        made = [Instance(environment) for _ in range(instances)]
        try:
            await asyncio.wait_for(work(*made), 30)
        finally:
            for instance in made:
                instance.counters.close()
            await asyncio.sleep(0)

    asyncio.run(all_of_it())


def passed(until: int, tokens: int, running: int) -> Verdict:
    return Verdict(None, Counted(until, tokens, running))


def item(account: Account) -> dict[str, Any]:
    """The one counter, without DynamoDB's types."""
    (found,) = account.client("dynamodb").scan(TableName=TABLE)["Items"]
    read = boto3.dynamodb.types.TypeDeserializer().deserialize
    return {name: read(value) for name, value in found.items()}


def test_a_count_is_one_update_and_a_second_one_where_another_instance_counted(account: Account) -> None:
    async def work(one: Instance, other: Instance) -> None:
        third = NOON + 20 * SECOND
        assert await one.begin("a") == (passed(third, 0, 1), 2), "the first of a day begins the day"
        assert await one.begin("b") == (passed(third + 20 * SECOND, 0, 2), 1)
        assert await other.begin("c") == (Verdict("concurrent", Counted(third + 20 * SECOND, 0, 2)), 1)
        assert await one.end("a", 10) == 1
        assert await one.end("b", 10) == 1
        assert await other.begin("d") == (passed(third + 40 * SECOND, 20, 1), 1), "it knows from its refusal"
        assert await one.begin("e") == (Verdict("rate", Counted(third + 40 * SECOND, 20, 1)), 1)
        assert await one.begin("e") == (Verdict("rate", Counted(third + 40 * SECOND, 20, 1)), 0), (
            "it knows that already"
        )
        assert await other.end("d") == 1
        assert await one.begin("f", now=NOON + 60 * SECOND) == (passed(third + 60 * SECOND, 20, 1), 1)
        assert await one.end("f", 80) == 1
        assert await one.begin("g", now=NOON + 60 * SECOND) == (Verdict("tokens", Counted(third + 60 * SECOND, 100)), 0)
        assert await other.begin("h", now=NOON + DAY) == (passed(third + DAY, 0, 1), 1)

    run(account.environment(), work, 2)


def test_what_ends_without_a_count_is_no_update(account: Account) -> None:
    async def work(one: Instance) -> None:
        rate = Limits(per_minute(3))
        assert await one.begin("a", rate) == (passed(NOON + 20 * SECOND, 0, 0), 1)
        assert await one.end("a", 10) == 0
        assert (await one.begin("b", Limits(tokens_per_day=5)))[0] == passed(NOON + 20 * SECOND, 0, 0)
        assert await one.end("b", 0) == 0

    run(account.environment(), work)


def test_the_item_goes_when_nothing_in_it_counts_any_longer(account: Account) -> None:
    async def work(one: Instance) -> None:
        await one.begin("a")
        assert item(account) == {
            "pk": "limit#key#alice",
            "sk": "counter",
            "until": NOON + 20 * SECOND,
            "day": 20_000,
            "tokens": 0,
            "running": {f"{NOON // SECOND + 960}#a"},
            "ttl": 20_002 * DAY // SECOND,
        }
        await one.end("a", 5)
        assert {name: item(account)[name] for name in ("tokens", "ttl")} == {"tokens": 5, "ttl": 20_002 * DAY // SECOND}
        assert "running" not in item(account)
        await one.begin("b", Limits(per_minute(1)), now=NOON + DAY)
        assert item(account)["ttl"] == (NOON + DAY) // SECOND + 60 + 960
        await one.begin("c", Limits(None, None, 1), now=NOON + DAY)
        assert item(account)["ttl"] == (NOON + DAY) // SECOND + 960

    run(account.environment(), work)


def test_an_instance_that_dies_holds_its_place_for_sixteen_minutes(account: Account) -> None:
    async def work(dying: Instance, other: Instance) -> None:
        one = Limits(None, None, 2)
        assert await dying.begin("a", one) == (passed(0, 0, 1), 1)
        assert await dying.begin("b", one, NOON + SECOND) == (passed(0, 0, 2), 1)
        late = NOON + 960 * SECOND
        assert await other.begin("c", one, late - 1) == (Verdict("concurrent", Counted(0, 0, 2)), 1)
        assert await other.begin("d", one, late) == (passed(0, 0, 2), 3), "refused, forgotten, counted"
        assert item(account)["running"] == {f"{NOON // SECOND + 961}#b", f"{late // SECOND + 960}#d"}
        assert await dying.end("b") == 1
        assert item(account)["running"] == {f"{late // SECOND + 960}#d"}

    run(account.environment(), work, 2)


def test_a_clock_that_is_ahead_at_midnight_begins_the_day_once(account: Account) -> None:
    async def work(ahead: Instance, behind: Instance) -> None:
        midnight = 20_001 * DAY
        tokens = Limits(tokens_per_day=100)
        assert (await ahead.begin("a", tokens, midnight - 2))[0] == passed(0, 0, 0)
        assert await ahead.end("a", 60, midnight - 1) == 1
        assert await ahead.end("a", 7, midnight) == 1
        assert (await behind.begin("b", tokens, midnight - 1))[0] == passed(0, 7, 0)
        assert await behind.end("b", 2, midnight - 1) == 1
        assert (await ahead.begin("c", tokens, midnight))[0] == passed(0, 9, 0)

    run(account.environment(), work, 2)


COUNTING = """
import asyncio, json, os, sys
from gateway_lambda.registry.counters import Entry, Limits, per_minute, per_second
from gateway_lambda.registry.table_client import TableClient
from gateway_lambda.registry.table_counters import TableCounters

async def main(name):
    instances = [TableCounters(TableClient("registry-1", os.environ)) for _ in range(5)]
    now = 20_000 * 86_400 * 10**9
    kinds = {"rate": Limits(per_minute(37)), "burst": Limits(per_second(1, 22)), "running": Limits(None, None, 11)}
    kinds["all"] = Limits(per_minute(90), 1, 19)
    print("ready", flush=True)
    sys.stdin.readline()
    asked = [
        (kind, instances[number % 5].begin(Entry(kind, limits, f"{name}-{number}", now)))
        for number in range(15) for kind, limits in kinds.items()
    ]
    found = await asyncio.gather(*(each for _, each in asked))
    print(json.dumps([[kind, verdict and verdict.refused] for (kind, _), verdict in zip(asked, found)]), flush=True)
    for instance in instances:
        instance.close()
    await asyncio.sleep(0)

from gateway_lambda.registry import table_client, table_counters
table_client._PATIENCE_TO_CONNECT = table_counters.PATIENCE = table_counters.PATIENCE_TO_CONNECT = 100.0
asyncio.run(main(sys.argv[1]))
"""


def test_of_all_that_four_processes_ask_at_once_exactly_the_limit_passes(account: Account) -> None:
    """Twenty instances, and 300 requests for four counters. The emulator is slow with so many, and not the counters."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", COUNTING, str(number)],
            env={**account.environment(), "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    try:
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in started:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        found = [verdict for process in started for verdict in json.loads(process.communicate(timeout=100)[0])]
    finally:
        for process in started:
            process.kill()
            process.communicate()
    counted = {kind: [reason for each, reason in found if each == kind] for kind, _ in found}
    assert {kind: (reasons.count(None), len(reasons)) for kind, reasons in counted.items()} == {
        "rate": (37, 60),
        "burst": (23, 60),
        "running": (11, 60),
        "all": (19, 60),
    }
    assert set(counted["rate"] + counted["burst"]) == {None, "rate"}
    assert set(counted["running"] + counted["all"]) == {None, "concurrent"}


def test_what_was_refused_once_is_refused_without_a_question_until_it_could_pass(account: Account) -> None:
    async def work(one: Instance) -> None:
        rate, tokens = Limits(per_minute(2)), Limits(None, 10)
        assert [(await one.begin(request, rate))[1] for request in "abcd"] == [1, 1, 0, 0]
        assert (await one.begin("e", rate, NOON + 30 * SECOND - 1))[1] == 0
        assert await one.begin("f", rate, NOON + 30 * SECOND) == (passed(NOON + 90 * SECOND, 0, 0), 1)
        assert (await one.begin("g", tokens))[0] == passed(NOON + 90 * SECOND, 0, 0)
        assert await one.end("g", 10) == 1
        assert (await one.begin("h", tokens, 20_001 * DAY - 1))[1] == 0
        assert await one.begin("i", tokens, 20_001 * DAY) == (passed(NOON + 90 * SECOND, 0, 0), 1)
        assert await one.begin("j", Limits(None, 10, 1), 20_001 * DAY) == (passed(NOON + 90 * SECOND, 0, 1), 1)
        full = Verdict("concurrent", Counted(NOON + 90 * SECOND, 0, 1))
        assert [await one.begin(request, Limits(None, 10, 1), 20_001 * DAY) for request in "kl"] == [(full, 1)] * 2

    run(account.environment(), work)


@pytest.fixture
def table() -> Iterator[Table]:
    with scripted_dynamodb() as table:
        yield table


def _hang(table: Table) -> None:
    table_counters.PATIENCE = 0.1
    table.go.clear()


class Clock:
    """Seconds since 1970, in place of the module `time`."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(table_counters, "time", clock)
    return clock


@pytest.mark.parametrize(
    ("fails", "reason"),
    [
        (_hang, "no answer in time"),
        (
            lambda table: setattr(
                table, "refusal", (400, {"__type": "x#AccessDeniedException", "message": "User: arn:x is not allowed"})
            ),
            "DynamoDB answered 400 AccessDeniedException: User: arn:x is not allowed",
        ),
        (
            lambda table: setattr(table, "refusal", (400, {"__type": "x#ProvisionedThroughputExceededException"})),
            "DynamoDB answered 400 ProvisionedThroughputExceededException",
        ),
        (lambda table: setattr(table, "refusal", (500, {})), "DynamoDB answered 500 "),
        (lambda table: setattr(table, "raw", b'{"Attributes": 1}'), "Expected `object`, got `int` - at `$.Attributes`"),
        (lambda table: setattr(table, "raw", b"<html>"), "JSON is malformed: invalid character (byte 0)"),
    ],
    ids=["hangs", "denies", "throttles", "fails", "answers another thing", "answers nonsense"],
)
def test_a_table_that_does_not_count_lets_requests_pass_and_is_left_alone_for_a_second(
    table: Table, clock: Clock, caplog: pytest.LogCaptureFixture, fails: Callable[[Table], None], reason: str
) -> None:
    async def work(one: Instance) -> None:
        assert await one.begin("a") == (None, 1)
        clock.now += 0.9
        assert await one.begin("b") == (None, 0)
        clock.now += 0.1
        assert await one.begin("c") == (None, 1)

    fails(table)
    with caplog.at_level(logging.ERROR):
        run(table.environment, work)
    assert [record.getMessage() for record in caplog.records] == [PASSES + reason] * 2
    assert ENVIRONMENT["AWS_SESSION_TOKEN"] not in caplog.text


def test_a_table_that_cannot_be_reached_lets_requests_pass(caplog: pytest.LogCaptureFixture) -> None:
    async def work(one: Instance) -> None:
        assert await one.begin("a") == (None, 0)
        assert await one.end("a", 5) == 1

    with caplog.at_level(logging.ERROR):
        run({**ENVIRONMENT, "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:1"}, work)
    first, second = (record.getMessage() for record in caplog.records)
    assert first.startswith(PASSES)
    assert second.startswith(
        "limits cannot be counted in the table registry-1, and the gateway cannot count the end of"
    )


def test_conditions_that_never_hold_end_and_let_the_request_pass(
    table: Table, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(one: Instance) -> None:
        assert await one.begin("a") == (None, 8)
        assert await one.end("a", 5) == 8

    table.refusal = (400, {"__type": "x#ConditionalCheckFailedException", "message": "no"})
    with caplog.at_level(logging.ERROR):
        run(table.environment, work)
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == [
        "the counter changes too often"
    ] * 2


def test_a_connection_that_ended_while_it_was_idle_is_replaced_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    """A function is frozen between requests, and does not see the end of its connection until it writes."""
    asked: list[int] = []
    serving: list[asyncio.Task[Any] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = len(asked)
        asked.append(0)
        serving.append(asyncio.current_task())
        while head := (await reader.read(65536)):
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            assert len(head.partition(b"\r\n\r\n")[2]) == length, "one small request comes whole"
            asked[connection] += 1
            if asked[connection] > 1 and connection == 0:
                break
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()

    async def work() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        one = Instance({**ENVIRONMENT, "AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{port}"})
        for request in "abc":
            assert (await one.begin(request, Limits(per_minute(9))))[0] == passed(0, 0, 0)
        one.counters.close()
        server.close()
        await asyncio.gather(*filter(None, serving))

    asyncio.run(work())
    assert asked == [2, 2]
    assert caplog.records == []


def test_an_update_whose_answer_is_lost_counts_its_request_once(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = table_client._answer
    lost = iter([True])

    async def answer(connection: Any, request: Any) -> bytes:
        body = await real(connection, request)
        if next(lost, False):
            raise BrokenOff("the connection ended", answered=False)
        return body

    async def work(one: Instance) -> None:
        limits = Limits(max_concurrent=1)
        await one.begin("a", limits)
        await one.end("a")
        monkeypatch.setattr(table_client, "_answer", answer)
        assert (await one.begin("b", limits))[0] == passed(0, 0, 1)
        await one.end("b")
        assert (await one.begin("c", limits))[0] == passed(0, 0, 1)

    run(account.environment(), work)
