"""`make key`: one key for the person who asks, or the names of all keys with their limits."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from commands.key import main
from commands.pulumi_cli import PulumiError
from commands.stack_state import TABLE
from gateway_lambda.registry.record import Key
from infra.planning.table_items import COUNTER, PARTITION_KEY, SORT_KEY, counter_partition, key_item
from infra.readiness import client_maker
from tests.commands.stacks import REGION, FakePulumi, gateway_state, service_state
from tests.support.processes import ROOT

TABLE_NAME = "gateway-table-1a2b3c4"
ALICE, BOB = "ss-a-secret-of-alice", "ss-a-secret-of-bob"
NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
ASKING = "Asking pulumi for the stack gateway …\n"
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


class Pulumi(FakePulumi):
    """Also shows outputs."""

    def __call__(self, arguments: Sequence[str]) -> str:
        match arguments:
            case ["stack", "output", "--json", "--show-secrets", "--stack", "gateway"]:
                return json.dumps({"url": "https://gateway.example.com", "api_keys": {"alice": ALICE, "bob": BOB}})
            case ["stack", "output", "--json", "--show-secrets", "--stack", "cat"]:
                return json.dumps({"url": "https://cat.example.com"})
            case ["stack", "output", "--json", "--show-secrets", "--stack", stack]:
                raise PulumiError(f"error: no stack named '{stack}' found")
            case _:
                return super().__call__(arguments)


def _pulumi() -> Pulumi:
    table = {"name": TABLE_NAME, "arn": f"arn:aws:dynamodb:{REGION}:123456789012:table/{TABLE_NAME}"}
    return Pulumi({"gateway": gateway_state([{"type": TABLE, "outputs": table}]), "cat": service_state()})


def asked(*line: str) -> int:
    return main(line, pulumi=_pulumi(), clients=client_maker, now=lambda: NOON)


def test_a_key_is_the_only_line_of_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert asked("gateway", "alice") == 0
    assert capsys.readouterr() == (f"{ALICE}\n", ASKING)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("gateway", "alcie"), "gateway has no key 'alcie': did you mean alice? Its keys are: alice, bob"),
        (("gateway", "x\x1b[2J"), "gateway has no key 'x�[2J'. Its keys are: alice, bob"),
        (("cat", "alice"), "cat has no API keys: it is not the stack of a gateway, or no pulumi up has succeeded yet"),
        (("none", "alice"), "error: no stack named 'none' found"),
        (("cat",), "cat is not the stack of a gateway: name one that is (make status lists them)"),
        (("none",), "error: no stack named 'none' found"),
    ],
)
def test_what_is_not_there_is_told_without_a_key(
    line: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(*line) == 2
    assert capsys.readouterr() == ("", f"Asking pulumi for the stack {line[0]} …\n{message}\n")


def test_without_a_stack_the_command_says_what_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        asked()
    assert ended.value.code == 2
    assert "name the stack of a gateway: make key STACK=NAME (make status lists them)" in capsys.readouterr().err


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The gateway's table, in moto."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        dynamodb: Any = boto3.client("dynamodb", REGION)
        keys = [(PARTITION_KEY, "HASH"), (SORT_KEY, "RANGE")]
        dynamodb.create_table(
            TableName=TABLE_NAME,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
        )
        yield dynamodb


def put(table: Any, key: Key) -> None:
    table.put_item(TableName=TABLE_NAME, Item=json.loads(key_item(key)))


def count(table: Any, person: str, day: int, tokens: int) -> None:
    key = {PARTITION_KEY: {"S": counter_partition(person)}, SORT_KEY: {"S": COUNTER}}
    table.put_item(TableName=TABLE_NAME, Item={**key, "day": {"N": str(day)}, "tokens": {"N": str(tokens)}})


def test_without_a_name_all_names_are_shown_with_limits_and_use_and_without_a_key(
    table: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    today = (NOON - datetime(1970, 1, 1, tzinfo=UTC)).days
    put(table, Key(name="bob", sha256=DIGEST))
    put(table, Key(name="alice", sha256=DIGEST, runs=["a", "b"], tokens_per_day=1_000_000, expires=1_801_440_000))
    put(table, Key(name="alice@2", sha256=DIGEST, runs=["*"], tokens_per_day=1_000_000, expires=1_700_000_000))
    put(table, Key(name="carol", sha256=DIGEST, requests_per_minute=6000, tokens_per_day=5, max_concurrent=4))
    count(table, "alice", today, 12_345)
    count(table, "carol", today - 1, 9)
    assert asked("gateway") == 0
    out, err = capsys.readouterr()
    assert err == ASKING
    assert out == (
        "KEY      RUNS  EXPIRES                         REQUESTS/MIN  TOKENS/DAY  USED TODAY  AT ONCE\n"
        "alice    a, b  2027-02-01 00:00 UTC                       -   1,000,000      12,345        -\n"
        "alice@2  all   2023-11-14 22:13 UTC (expired)             -   1,000,000      12,345        -\n"
        "bob      all   -                                          -           -           -        -\n"
        "carol    all   -                                      6,000           5           0        4\n"
    )


def test_a_gateway_without_keys_says_how_to_set_them(table: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked("gateway") == 0
    assert (
        capsys.readouterr().out == "gateway has no keys. Set names: pulumi config set keys alice,bob --stack gateway\n"
    )


def test_the_use_of_more_keys_than_one_question_takes_is_read(table: Any, capsys: pytest.CaptureFixture[str]) -> None:
    today = (NOON - datetime(1970, 1, 1, tzinfo=UTC)).days
    for number in range(205):
        put(table, Key(name=f"k{number:03}", sha256=DIGEST, tokens_per_day=500))
        count(table, f"k{number:03}", today, number)
    assert asked("gateway") == 0
    used = [line.split()[5] for line in capsys.readouterr().out.splitlines()[1:]]
    assert used == [str(number) for number in range(205)]


def test_what_aws_leaves_over_is_asked_for_again() -> None:
    from commands.gateway_keys import tokens_today

    class Busy:
        """Answers one item at a time."""

        asked = 0

        def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> Mapping[str, Any]:
            self.asked += 1
            (key, *rest) = RequestItems["t"]["Keys"]
            found = {**key, "day": {"N": "20786"}, "tokens": {"N": str(self.asked)}}
            return {"Responses": {"t": [found]}, "UnprocessedKeys": {"t": {"Keys": rest}} if rest else {}}

    busy = Busy()
    keys = [Key(name=name, sha256=DIGEST, tokens_per_day=5) for name in ("a", "b", "b@2", "c")]
    assert tokens_today(lambda _: busy, "t", keys, NOON) == {"a": 1, "b": 2, "c": 3}


def test_aws_that_does_not_answer_is_told(table: Any, capsys: pytest.CaptureFixture[str]) -> None:
    table.delete_table(TableName=TABLE_NAME)
    assert asked("gateway") == 1
    out, err = capsys.readouterr()
    assert (out, err) == (
        "",
        f"{ASKING}AWS refuses (ResourceNotFoundException: Requested resource not found)\n",
    )


def test_in_a_shell_make_key_is_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`$(make -s key …)` in a real shell, with a program in place of pulumi."""
    outputs = json.dumps({"api_keys": {"alice": ALICE, "bob": BOB}})
    program = tmp_path / "pulumi"
    program.write_text(f"#!/bin/sh\necho '{outputs}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    script = 'key=$(make -s key STACK=gateway ARGS=bob) && printf "%s|" "$key"'
    stamps = [f"--old-file={path.name}" for path in ROOT.glob("requirements*.txt")]
    script = script.replace("make -s", f"make -s {' '.join(stamps)}")
    ended = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout == f"{BOB}|"
