"""`make logs`: which lines of which log group it prints. boto3's own clients ask moto."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from commands.logs import main
from infra.readiness import client_maker
from tests.commands.stacks import FUNCTION_LOG, REGION, FakePulumi, gateway_state, service_state

A, B = "i-0aaaaaaaaaaaaaaaa", "i-0bbbbbbbbbbbbbbbb"
GROUP = "/servestack/yellow-cat-1"
NOW = 1_795_953_600.0
"""2026-11-29 12:00:00 in UTC."""
ASKING = "Asking pulumi for the stack cat …\n"
HOUR = f"{ASKING}{GROUP}, the last 1h in UTC:\n"
PULUMI = FakePulumi({"cat": service_state(), "gateway": gateway_state()})


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Logs with lines of two replicas and of the function."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    # As AWS, moto leaves out lines that are older than two weeks.
    monkeypatch.setattr("moto.logs.models.utcnow", lambda: datetime.fromtimestamp(NOW, UTC).replace(tzinfo=None))
    with mock_aws():
        client: Any = boto3.client("logs", REGION)
        for group in (GROUP, FUNCTION_LOG):
            client.create_log_group(logGroupName=group)
        writes(client, f"{A}/boot", -7200, "machine ready")
        writes(client, f"{A}/container", -600, "INFO \x1b[32mtext_generation\x1b[0m", " 10 %\r 100 %\n")
        writes(client, f"{B}/boot", -300, "GPUs found: 1")
        writes(client, f"{B}/container", -60, "ready\x07")
        writes(client, f"{B}/figures", -50, '{"GpuUse": 87}')
        writes(client, "2026/11/29/[$LATEST]0123", -30, "GET /v1/models 200", group=FUNCTION_LOG)
        yield client


def writes(client: Any, stream: str, seconds: float, *messages: str, group: str = GROUP) -> None:
    names = {found["logStreamName"] for found in client.describe_log_streams(logGroupName=group)["logStreams"]}
    if stream not in names:
        client.create_log_stream(logGroupName=group, logStreamName=stream)
    begin = int((NOW + seconds) * 1000)
    events = [{"timestamp": begin + index * 1000, "message": text} for index, text in enumerate(messages)]
    client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def shown(*line: str, pulumi: Any = PULUMI, clock: Any = None) -> int:
    return main(line, pulumi=pulumi, clients=client_maker, clock=clock, wall=lambda: NOW)


CONTAINER = [
    f"2026-11-29 11:50:00 {A}/container INFO text_generation",
    f"2026-11-29 11:50:01 {A}/container  100 %",
    f"2026-11-29 11:59:00 {B}/container ready",
]
BOOT = [f"2026-11-29 11:55:00 {B}/boot GPUs found: 1"]


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        ([], [*CONTAINER[:2], *BOOT, CONTAINER[2]]),
        (["--container"], CONTAINER),
        (["--boot"], BOOT),
        (["--replica", B], [*BOOT, CONTAINER[2]]),
        (["--replica", A, "--container"], CONTAINER[:2]),
    ],
)
def test_the_lines_of_the_last_hour_are_printed(
    logs: Any, arguments: Sequence[str], lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown("cat", *arguments) == 0
    printed = capsys.readouterr()
    assert (sorted(printed.out.splitlines()), printed.err) == (sorted(lines), HOUR)


def test_a_longer_time_shows_older_lines(logs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown("cat", "--boot", "--since", "3h") == 0
    assert capsys.readouterr() == (
        f"2026-11-29 10:00:00 {A}/boot machine ready\n{BOOT[0]}\n",
        f"{ASKING}{GROUP}, the last 3h in UTC:\n",
    )


@pytest.mark.parametrize("arguments", [["gateway"], ["gateway", "--gateway"], ["cat", "--gateway"]])
def test_the_log_of_the_gateway_is_that_of_its_function(
    logs: Any, arguments: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(*arguments) == 0
    asking = f"Asking pulumi for the stack {arguments[0]} …\n"
    assert capsys.readouterr() == (
        "2026-11-29 11:59:30 GET /v1/models 200\n",
        f"{asking}{FUNCTION_LOG}, the last 1h in UTC:\n",
    )


@pytest.mark.parametrize(
    ("stack", "configured", "gateway"),
    [("acme/servestack/cat", "eu", "acme/servestack/eu"), ("cat", "acme/servestack/eu", "acme/servestack/eu")],
)
def test_the_gateway_of_a_service_is_the_one_of_its_stack_config(
    logs: Any, stack: str, configured: str, gateway: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = {stack: {"servestack:gateway": {"value": configured, "secret": False}}}
    pulumi = FakePulumi({stack: service_state(), gateway: gateway_state()}, config)
    assert shown(stack, "--gateway", pulumi=pulumi) == 0
    assert capsys.readouterr().out == "2026-11-29 11:59:30 GET /v1/models 200\n"


def test_following_prints_each_new_line_once_and_also_late_ones(logs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    class Passing:
        """Time in which replicas write. The second line is older than one that was already shown."""

        def __init__(self) -> None:
            self._writes = [(B, -50, "first"), (A, -55, "late")]

        def now(self) -> float:
            return 0

        def sleep(self, seconds: float) -> None:
            if not self._writes:
                raise KeyboardInterrupt
            replica, at, text = self._writes.pop(0)
            writes(logs, f"{replica}/container", at, text)

    assert shown("cat", "--follow", "--container", clock=Passing()) == 130
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        *CONTAINER,
        f"2026-11-29 11:59:10 {B}/container first",
        f"2026-11-29 11:59:05 {A}/container late",
    ]
    assert printed.err == f"{ASKING}{GROUP}, the last 1h in UTC, then what follows (Ctrl-C ends this):\n"


def test_a_log_without_lines_says_how_to_look_further_back(logs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown("cat", "--replica", "i-0c") == 0
    assert capsys.readouterr() == ("", f"{HOUR}There is no line. Look further back with ARGS='--since 1d'\n")


def test_a_log_group_that_is_gone_is_named(logs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    logs.delete_log_group(logGroupName=GROUP)
    assert shown("cat") == 2
    missing = f"the log group {GROUP} does not exist in us-east-1: run pulumi up --refresh\n"
    assert capsys.readouterr() == ("", f"{HOUR}{missing}")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["dog"], "error: no stack named 'dog' found"),
        (
            ["gateway", "--boot"],
            "gateway is the stack of a gateway, which has no replicas: name the stack of a service, or leave out "
            "--replica, --boot and --container",
        ),
    ],
)
def test_a_stack_without_the_log_is_told(line: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(*line) == 2
    assert capsys.readouterr().err == f"Asking pulumi for the stack {line[0]} …\n{message}\n"


def test_a_profile_that_does_not_exist_is_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    pulumi = FakePulumi({"cat": service_state()}, {"cat": {"aws:profile": {"value": "nowhere", "secret": False}}})
    assert shown("cat", pulumi=pulumi) == 1
    assert capsys.readouterr().err == (
        f"{HOUR}the AWS profile gives no credentials (ProfileNotFound: The config profile (nowhere) could not be "
        "found): correct it in ~/.aws/config, or choose another with AWS_PROFILE or stack config aws:profile (aws "
        "configure list-profiles shows them)\n"
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ([], "name a stack: make logs STACK=NAME (make status lists them)"),
        (
            ["cat", "--since", "yesterday"],
            "argument --since: 'yesterday' is not a time: write a number with a unit, such as 30m or 2h",
        ),
        (
            ["cat", "--since=99999999d"],
            "argument --since: '99999999d' is too long: write at most 3650d, which is 10 years",
        ),
        (
            ["cat", "--replica", "cat-1"],
            "argument --replica: 'cat-1' is not an instance: write its id, such as i-0123456789abcdef0",
        ),
        (["cat", "--boot", "--container"], "argument --container: not allowed with argument --boot"),
        (
            ["cat", "--gateway", "--replica", A],
            "--gateway and --replica exclude each other: a gateway has no replicas",
        ),
        (["cat", "--folow"], "unrecognized arguments: --folow (nearest: --follow)"),
    ],
)
def test_a_wrong_command_line_is_told(line: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        shown(*line)
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"make logs: error: {message}"
