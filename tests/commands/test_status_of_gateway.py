"""`make status` of a gateway, and of `make local`. boto3's own clients ask moto; `make local` is a real one."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from commands.pulumi_cli import run_pulumi
from commands.stack_state import TABLE
from commands.status.__main__ import main
from commands.status.collecting import Means
from commands.status.gateway import DOMAIN, FUNCTION
from commands.status.local_runs import LocalRun, local_runs
from gateway_lambda.registry.record import Key
from infra.planning.table_items import COUNTER, PARTITION_KEY, REGISTRY, SORT_KEY, counter_partition, key_item
from infra.readiness import client_maker
from tests.commands.conftest import Keyed
from tests.commands.stacks import REGION, FakePulumi, gateway_state
from tests.gateway.conftest import bench, loop
from tests.gateway.serving import HI, Bench
from tests.support.local_service import MISTRAL, MISTRAL_MODEL

__all__ = ["bench", "loop"]

TABLE_NAME = "gateway-table-1a2b3c4"
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
NOW = datetime.now(UTC)
OVER = 1_700_000_000
"""A time that has passed, in seconds since 1970."""


@pytest.fixture
def certificate(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A gateway in moto: its table, its certificate, and the metrics of its function."""
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
        for sort in ("key#default", "key#alice", "claim#cat", "run#cat", "claim#new", "model#acme/cat"):
            item = {PARTITION_KEY: {"S": REGISTRY}, SORT_KEY: {"S": sort}, "record": {"S": DIGEST}}
            dynamodb.put_item(TableName=TABLE_NAME, Item=item)
        limits = Key(name="bob", sha256=DIGEST, runs=["cat"], requests_per_minute=60, tokens_per_day=1000, expires=OVER)
        dynamodb.put_item(TableName=TABLE_NAME, Item=json.loads(key_item(limits)))
        counter = {PARTITION_KEY: {"S": counter_partition("bob")}, SORT_KEY: {"S": COUNTER}, "tokens": {"N": "250"}}
        day = str((NOW - datetime(1970, 1, 1, tzinfo=UTC)).days)
        dynamodb.put_item(TableName=TABLE_NAME, Item={**counter, "day": {"N": day}})
        cloudwatch: Any = boto3.client("cloudwatch", REGION)
        for metric, hours, value in (
            ("Invocations", 1, 1200),
            ("Invocations", 23, 4),
            ("Invocations", 30, 99),
            ("Errors", 2, 3),
        ):
            data = {
                "MetricName": metric,
                "Dimensions": [{"Name": "FunctionName", "Value": "gateway-function"}],
                "Timestamp": NOW - timedelta(hours=hours),
                "Value": value,
            }
            cloudwatch.put_metric_data(Namespace="AWS/Lambda", MetricData=[data])
        acm: Any = boto3.client("acm", REGION)
        yield acm.request_certificate(DomainName="*.example.com", ValidationMethod="DNS")["CertificateArn"]


def shown(*more: Any, line: tuple[str, ...] = ("gateway",)) -> int:
    table = {"name": TABLE_NAME, "arn": f"arn:aws:dynamodb:{REGION}:123456789012:table/{TABLE_NAME}"}
    resources = [
        {"type": TABLE, "outputs": table},
        {"type": FUNCTION, "outputs": {"name": "gateway-function"}},
        *more,
    ]
    means = Means(
        pulumi=FakePulumi({"gateway": gateway_state(resources)}),
        clients=client_maker,
        local=lambda: (),
        now=lambda: NOW,
    )
    return main(line, means=means)


LIMITS = ("runs", "expires", "requests_per_minute", "tokens_per_day", "max_concurrent", "tokens_today")


def domain(certificate: str) -> dict[str, Any]:
    return {"type": DOMAIN, "outputs": {"domainName": "*.example.com", "regionalCertificateArn": certificate}}


def test_a_gateway_shows_names_and_figures_and_no_secret(certificate: str, capsys: pytest.CaptureFixture[str]) -> None:
    acm: Any = boto3.client("acm", REGION)
    found = acm.describe_certificate(CertificateArn=certificate)["Certificate"]
    expires = f", expires {found['NotAfter']:%Y-%m-%d}" if found["Status"] == "ISSUED" else ""
    assert shown(domain(certificate)) == 0
    assert capsys.readouterr().out == (
        "Gateway gateway: https://gateway.example.com\n"
        "  keys: alice, bob (expired 2023-11-14 22:13 UTC, only cat, 60 requests a minute, 1,000 tokens a day, 250 "
        "used today), default\n"
        "  runs: cat\n"
        "  runs that have not served yet: new\n"
        f"  certificate: *.example.com, {found['Status']}{expires}\n"
        "  function in 24 hours: 1,204 requests, 3 errors, 0 throttles\n"
    )


def test_the_json_of_a_gateway_has_no_digest(certificate: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(line=("gateway", "--json")) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed)["gateways"] == [
        {
            "stack": "gateway",
            "region": REGION,
            "url": "https://gateway.example.com",
            "keys": [
                {"name": "alice", **dict.fromkeys(LIMITS)},
                {
                    "name": "bob",
                    "runs": ["cat"],
                    "expires": "2023-11-14T22:13:20Z",
                    "requests_per_minute": 60,
                    "tokens_per_day": 1000,
                    "max_concurrent": None,
                    "tokens_today": 250,
                },
                {"name": "default", **dict.fromkeys(LIMITS)},
            ],
            "runs": ["cat"],
            "claimed": ["new"],
            "certificate": None,
            "function": {"requests": 1204, "errors": 3, "throttles": 0},
            "unanswered": [],
        }
    ]
    assert DIGEST not in printed


def test_what_aws_does_not_say_about_a_gateway_is_named(certificate: str, capsys: pytest.CaptureFixture[str]) -> None:
    boto3.client("dynamodb", REGION).delete_table(TableName=TABLE_NAME)  # pyright: ignore[reportUnknownMemberType]
    missing = f"{certificate[:-12]}000000000000"
    assert shown(domain(missing)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "Gateway gateway: https://gateway.example.com",
        "  function in 24 hours: 1,204 requests, 3 errors, 0 throttles",
        "  AWS does not answer dynamodb:Query (ResourceNotFoundException: Requested resource not found)",
        "  AWS does not answer acm:DescribeCertificate (ResourceNotFoundException: Certificate with arn "
        f"{missing} not found in account 123456789012)",
    ]


def test_make_local_is_found_while_it_serves(keyed: Keyed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commands.status.local_runs.PATIENCE", 60)
    here = [run for run in local_runs() if run.url.startswith(keyed.service.url)]
    assert [(run.run, run.url, run.model, run.configuration) for run in here] == [
        ("yellow-cat-1", f"{keyed.url}/", MISTRAL_MODEL, MISTRAL)
    ]
    assert [(run.state, run.requests_per_second) for run in here] == [("serving", None)], "it needs a key"
    for path in Path(tempfile.gettempdir()).glob("servestack-*/served.json"):
        with contextlib.suppress(FileNotFoundError):  # another one has just ended
            assert keyed.key not in path.read_text()


def test_runs_of_this_machine_show_their_states_and_what_they_did_lately(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("commands.status.local_runs.PATIENCE", 60)
    gone = bench.nobody()
    bench.register(bench.service("a", model="a"), bench.service("b", model="b", url=gone))
    chat = {"model": "a", "messages": HI}
    assert bench.http.post(f"{bench.url}/v1/chat/completions", json=chat).status_code == 200
    runs = [
        LocalRun(run=name, url=f"{bench.url}/{name}", model=name, configuration="c", server="s", since=NOW)
        for name in ("a", "b")
    ]
    (tmp_path / "servestack-one").mkdir()
    written = [{**vars(run), "since": NOW.isoformat()} for run in runs]
    (tmp_path / "servestack-one" / "served.json").write_text(json.dumps({"gateway": bench.url, "runs": written}))
    assert local_runs() == (
        replace(runs[0], requests_per_second=1 / 60, tokens_per_second=4 / 60),
        replace(runs[1], state="down", requests_per_second=0, tokens_per_second=0),
    )


def test_the_file_of_a_make_local_that_was_killed_is_not_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run = LocalRun(run="a", url="http://127.0.0.1:1/", model=None, configuration="a", server="b", since=NOW)
    for name, text in (
        ("dead", json.dumps({"gateway": "http://127.0.0.1:1", "runs": [{**vars(run), "since": NOW.isoformat()}]})),
        ("half", '{"gateway": "http'),
        ("far", json.dumps({"gateway": "http://example.com", "runs": [{**vars(run), "since": NOW.isoformat()}]})),
    ):
        (tmp_path / f"servestack-{name}").mkdir()
        (tmp_path / f"servestack-{name}" / "served.json").write_text(text)
    assert local_runs() == ()


def test_without_pulumi_the_runs_of_make_local_are_shown_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    run = LocalRun(run="cat", url="http://127.0.0.1:8/", model=None, configuration="a", server="b", since=NOW)
    found = [(run,), ()]
    means = Means(pulumi=run_pulumi, clients=client_maker, local=lambda: found.pop(0), now=lambda: NOW)
    ended = [main([], means=means), main([], means=means)]
    missing = (
        "stacks: not known: this machine has no pulumi command: install it (pulumi.com/docs/install), and run pulumi "
        "login\n"
    )
    assert (ended, capsys.readouterr().out) == (
        [0, 1],
        "On this machine, by make local:\n"
        "RUN  STATE    AGE  REQ/S  TOK/S  URL                  MODEL\n"
        f"cat  serving   0m                http://127.0.0.1:8/  -\ncat: b\n\n{missing}{missing}",
    )
