"""`make usage` of a gateway: the whole output, from the lines of requests and from what AWS says of replicas."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from commands.stack_state import GROUP, LOG_GROUP, TABLE, TABLE_ITEM
from commands.usage.__main__ import Means, main
from commands.usage.costs import Cost, Row
from commands.usage.report import report
from commands.usage.requests import Requests
from tests.commands.insights import Insights
from tests.commands.request_lines import request_line
from tests.commands.stacks import FUNCTION_LOG, REGION, FakePulumi, claim_of, gateway_state, reserved, service_state
from tests.readiness.cloud import refusal
from tests.support.processes import ROOT

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
TABLE_NAME = "gateway-table-1a2b3c4"
GATEWAY = {
    "type": TABLE,
    "outputs": {"name": TABLE_NAME, "arn": f"arn:aws:dynamodb:{REGION}:123456789012:table/{TABLE_NAME}"},
}
ASKING = f"""\
Asking pulumi for the stack gateway …
Asking pulumi for the other stacks, and AWS for their replicas …
Asking CloudWatch for the lines from 2026-11-27 12:00 to 2026-11-29 12:00 UTC in {FUNCTION_LOG} …
"""
READ = "CloudWatch read 0.0 MB for this query. At list price this costs less than $0.0001.\n"
PRICES = """\
Costs are on-demand list prices of us-east-1 on 2026-07-20. They count all hours of replicas,
busy or not. They do not count disks, data and the gateway.
"""
SPOT = "<: a replica can be spot, which costs less.\n"
LEFT_OUT = "-: not known, or no cost. The total leaves it out.\n"


def at(hours: float) -> datetime:
    """A time, by its hours before now."""
    return NOW - timedelta(hours=hours)


@dataclass
class Fleet:
    """Auto Scaling, EC2 and the logs of runs that are scripted."""

    living: Mapping[str, Sequence[tuple[str, str, datetime]]]
    """Group -> instance, type, launch."""
    ended: Mapping[str, Sequence[tuple[str, datetime, datetime]]]
    """Group -> instance, launch, end."""
    types: Mapping[str, str]
    """Stream of a log -> the type in it."""
    failing: dict[str, Exception] = field(default_factory=dict[str, Exception])
    """Group -> what a question about it ends with."""

    def describe_auto_scaling_groups(self, *, AutoScalingGroupNames: Sequence[str]) -> Mapping[str, Any]:
        (name,) = AutoScalingGroupNames
        if name in self.failing:
            raise self.failing[name]
        if name not in self.living:
            return {"AutoScalingGroups": []}
        instances = [{"InstanceId": one, "InstanceType": type} for one, type, _ in self.living[name]]
        return {
            "AutoScalingGroups": [
                {"MinSize": 0, "MaxSize": 2, "DesiredCapacity": len(instances), "Instances": instances}
            ]
        }

    def describe_scaling_activities(self, *, AutoScalingGroupName: str, MaxRecords: int) -> Mapping[str, Any]:
        found = [
            {
                "Description": f"{what} EC2 instance: {one}",
                "StatusCode": "Successful",
                "StartTime": when,
                "EndTime": when,
            }
            for one, began, ended in self.ended.get(AutoScalingGroupName, ())
            for what, when in (("Launching a new", began), ("Terminating", ended))
        ]
        return {"Activities": sorted(found, key=lambda one: one["StartTime"], reverse=True)}

    def describe_instances(self, *, Filters: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        asked = Filters[0]["Values"]
        every = [one for group in self.living.values() for one in group]
        found = [{"InstanceId": one, "LaunchTime": launched} for one, _, launched in every if one in asked]
        return {"Reservations": [{"Instances": found}]}

    def get_log_events(self, *, logStreamName: str, **asked: Any) -> Mapping[str, Any]:
        if logStreamName not in self.types:
            raise refusal("ResourceNotFoundException")
        return {"events": [{"message": json.dumps({"type": self.types[logStreamName]})}]}


def stack(run: str, *types: str, on_demand: int = 100, table: str = TABLE_NAME) -> Any:
    mixed = {
        "launchTemplate": {
            "launchTemplateSpecification": {"launchTemplateId": "lt-1", "version": "1"},
            "overrides": [{"instanceType": type} for type in types],
        },
        "instancesDistribution": {"onDemandBaseCapacity": 0, "onDemandPercentageAboveBaseCapacity": on_demand},
    }
    name = f"{run}-replicas"
    arn = f"arn:aws:autoscaling:{REGION}:123456789012:autoScalingGroup:0:autoScalingGroupName/{name}"
    group = {"name": name, "arn": arn, "mixedInstancesPolicy": mixed}
    changed = {GROUP: group, LOG_GROUP: {"name": f"/servestack/{run}"}, **claim_of(run, table)}
    return service_state(changed=changed)


def fleet() -> Fleet:
    """`cat`: one replica for 24 hours, and one of four GPUs for 2 hours that has ended. `dog`: 4 hours of spot."""
    return Fleet(
        living={"cat-replicas": [("i-0a", "g5.xlarge", at(24))], "dog-replicas": [], "owl-replicas": []},
        ended={
            "cat-replicas": [("i-0b", at(36), at(34)), ("i-00", at(200), at(100))],
            "dog-replicas": [("i-0c", at(6), at(2))],
        },
        types={"i-0b/figures": "g6.12xlarge"},
    )


def stacks(**more: Any) -> dict[str, Any]:
    return {
        "cat": stack("cat", "g5.xlarge", "g6.12xlarge"),
        "dog": stack("dog", "g6.xlarge", on_demand=0),
        "gateway": gateway_state([GATEWAY]),
        "owl": stack("owl", "g5.xlarge", table="another-table"),
        **more,
    }


def answered(hours: float, run: str, key: str, tokens: tuple[int, int], ms: tuple[int, int], **more: Any) -> Any:
    """A streamed answer. `tokens`: in and out. `ms`: to the first token, and to the end."""
    prompt, completion = tokens
    first, duration = ms
    figures = {"PromptTokens": prompt, "CompletionTokens": completion, "TimeToFirstToken": first, "Duration": duration}
    members = {"Run": run, "key": key, "model": f"acme/{run}", "status": 200, "stream": True, **figures, **more}
    return request_line(at(hours), **members)


LINES = [
    (round(at(30).timestamp() * 1000), "gateway: started"),
    request_line(at(29), Run="cat", Arrivals=1, Requests=None, request_id=None),
    answered(28, "cat", "alice", (1000, 2000), (200, 3000)),
    answered(20, "cat", "alice", (500, 1500), (100, 2000)),
    answered(10, "cat", "bob", (250, 1000), (1500, 5000), Errors=1),
    answered(3, "dog", "bob", (10_000, 90_000), (400, 9000)),
    answered(2, "gone", "bob", (1, 2), (50, 100)),
    request_line(at(1), status=401, error="invalid_api_key", Duration=1),
    answered(0, "cat", "alice", (0, 0), (90, 0)),
    answered(49, "cat", "eve", (9, 9), (9, 9)),  # older than two days
]
Ask = Callable[..., int]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ask]:
    """Runs the command. Its log group is moto's."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setattr("commands.lifetimes._WRITTEN", {})
    with mock_aws():
        client: Any = boto3.client("logs", REGION)
        client.create_log_group(logGroupName=FUNCTION_LOG)

        def run(
            *line: str,
            machines: Fleet | None = None,
            lines: Sequence[tuple[int, str]] = LINES,
            states: Mapping[str, Any] | None = None,
            clock: Any = None,
            **insights: Any,
        ) -> int:
            made = machines or fleet()
            logs = Insights(client, lines, **insights)
            monkeypatch.setattr(logs, "get_log_events", made.get_log_events, raising=False)
            run.logs = logs  # type: ignore[attr-defined]
            means = Means(
                pulumi=FakePulumi(states or stacks()),
                clients=lambda region, profile: lambda name: logs if name == "logs" else made,
                local=lambda: (),
                now=lambda: NOW,
                clock=clock,
            )
            return main(line, means=means)

        yield run


def test_runs_show_what_they_answered_and_what_their_replicas_cost(
    ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask("gateway", "--since", "2d") == 0
    # cat: 24 h of g5.xlarge at $1.006, and 2 h of g6.12xlarge with 4 GPUs at $4.6016; dog: 4 h of g6.xlarge at $0.8048
    assert capsys.readouterr() == (
        f"""\
RUN    REQUESTS  ERRORS  TOKENS IN  TOKENS OUT  TTFT P50  TTFT P95  GPU HOURS     COST  $/1M TOKENS
cat           4       1      1,750       4,500    100 ms  1,500 ms       32.0   $33.35    $5,335.55
dog           1       0     10,000      90,000    400 ms    400 ms        4.0   <$3.22      <$32.19
-             1       0          -           -         -         -          -        -            -
gone          1       0          1           2     50 ms     50 ms          -        -            -
total         7       1     11,751      94,502         -         -       36.0  <$36.57     <$344.15

{PRICES}{SPOT}{LEFT_OUT}""",
        f"{ASKING}{READ}",
    )


def test_keys_share_the_costs_of_each_run_by_the_time_of_their_requests(
    ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask("gateway", "--since", "2d", "--by", "key") == 0
    # alice and bob have half of cat each: 5 s of 10 s. Only bob used dog.
    assert capsys.readouterr().out == (
        f"""\
KEY    REQUESTS  ERRORS  TOKENS IN  TOKENS OUT  TTFT P50  TTFT P95  GPU HOURS     COST  $/1M TOKENS
bob           3       1     10,251      91,002    400 ms  1,500 ms       20.0  <$19.89     <$196.47
alice         3       0      1,500       3,500    100 ms    200 ms       16.0   $16.67    $3,334.72
-             1       0          -           -         -         -          -        -            -
total         7       1     11,751      94,502         -         -       36.0  <$36.57     <$344.14

{PRICES}Each run's costs are shared by the time that its requests took, for each key.
{SPOT}{LEFT_OUT}"""
    )


def test_what_no_request_used_has_a_row_of_its_own(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line for line in LINES if "acme/dog" not in line[1]]
    assert ask("gateway", "--since", "2d", "--by", "model", lines=lines) == 0
    assert capsys.readouterr().out == (
        f"""\
MODEL      REQUESTS  ERRORS  TOKENS IN  TOKENS OUT  TTFT P50  TTFT P95  GPU HOURS     COST  $/1M TOKENS
acme/cat          4       1      1,750       4,500    100 ms  1,500 ms       32.0   $33.35    $5,335.55
(unused)          0       0          -           -         -         -        4.0   <$3.22            -
-                 1       0          -           -         -         -          -        -            -
acme/gone         1       0          1           2     50 ms     50 ms          -        -            -
total             6       1      1,751       4,502         -         -       36.0  <$36.57   <$5,850.62

{PRICES}Each run's costs are shared by the time that its requests took, for each model.
{SPOT}{LEFT_OUT}"""
    )


def test_days_are_days_in_utc(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("gateway", "--since", "2d", "--by", "day") == 0
    assert capsys.readouterr().out == (
        f"""\
DAY         REQUESTS  ERRORS  TOKENS IN  TOKENS OUT  TTFT P50  TTFT P95  GPU HOURS     COST  $/1M TOKENS
2026-11-28         2       0      1,500       3,500    100 ms    200 ms       20.0   $21.28    $4,255.04
2026-11-29         5       1     10,251      91,002     90 ms  1,500 ms       16.0  <$15.29     <$151.02
total              7       1     11,751      94,502         -         -       36.0  <$36.57     <$344.14

{PRICES}{SPOT}"""
    )


def test_a_run_in_a_reservation_costs_what_its_launch_template_says(
    ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    states = stacks(cat=reserved(stack("cat"), "g6.12xlarge"))
    assert ask("gateway", "--since", "2d", states=states) == 0
    # cat: 24 h of g5.xlarge at $1.006, which lives, and 2 h of g6.12xlarge at $4.6016
    cat, *_, total = capsys.readouterr().out.partition("\n\n")[0].splitlines()[1:]
    assert (cat.split(), total.split()[-3:]) == (
        ["cat", "4", "1", "1,750", "4,500", "100", "ms", "1,500", "ms", "32.0", "$33.35", "$5,335.55"],
        ["36.0", "<$36.57", "<$344.15"],
    )


def test_the_price_of_all_tokens_leaves_out_those_whose_cost_is_not_known() -> None:
    here = _row("here", (1, 0), (400_000, 600_000), None, Cost(gpu_hours=80, dollars=80.48, basis="list"))
    gone = _row("gone", (999, 0), (99_000_000, 900_000_000), None, None)
    silent = _row("silent", (1, 0), None, None, None)
    assert (
        report("run", [here, gone, silent], costs=True)
        == f"""\
RUN     REQUESTS  ERRORS   TOKENS IN   TOKENS OUT  TTFT P50  TTFT P95  GPU HOURS    COST  $/1M TOKENS
here           1       0     400,000      600,000         -         -       80.0  $80.48       $80.48
gone         999       0  99,000,000  900,000,000         -         -          -       -            -
silent         1       0           -            -         -         -          -       -            -
total      1,001       0  99,400,000  900,600,000         -         -       80.0  $80.48       $80.48

{PRICES}{LEFT_OUT}""".removesuffix("\n")
    )


def test_csv_has_raw_numbers_and_no_total(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("gateway", "--since", "2d", "--csv") == 0
    assert capsys.readouterr() == (
        """\
run,requests,errors,prompt_tokens,completion_tokens,ttft_p50_ms,ttft_p95_ms,gpu_hours,dollars,price_basis,dollars_per_million_tokens
cat,4,1,1750,4500,100,1500,32,33.3472,list,5335.552
dog,1,0,10000,90000,400,400,4,3.2192,spot,32.192
,1,0,,,,,,,,
gone,1,0,1,2,50,50,,,,
""",
        f"{ASKING}{READ}",
    )


def test_the_table_of_the_page_is_one_that_the_command_prints() -> None:
    cat = Cost(gpu_hours=48, dollars=48 * 1.006, basis="list")
    dog = Cost(gpu_hours=4, dollars=4 * 0.8048, basis="spot")
    rows = [
        _row("yellow-cat-1", (1204, 3), (912_338, 301_559), (182, 640), cat),
        _row("red-dog-1", (310, 0), (48_104, 120_980), (211, 703), dog),
        _row(None, (12, 0), None, None, None),
    ]
    page = (ROOT / "docs/usage.md").read_text(encoding="utf-8")
    assert f"```text\n{report('run', rows, costs=True).partition(chr(10) * 2)[0]}\n```" in page


def test_a_replica_that_does_not_say_its_type_counts_as_the_first_offer(
    ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    silent = fleet()
    silent.types = {}
    assert ask("gateway", "--since", "2d", machines=silent) == 0
    table, _, notes = capsys.readouterr().out.partition("\n\n")
    assert [line.split()[-3:] for line in table.splitlines()[1:]] == [
        ["~26.0", "~$26.16", "~$4,184.96"],
        ["4.0", "<$3.22", "<$32.19"],
        ["-", "-", "-"],
        ["-", "-", "-"],
        ["~30.0", "~$29.38", "~$276.47"],
    ]
    assumed = "~: a replica that has ended does not say its type. It counts as the plan's first offer.\n"
    assert notes == f"{PRICES}{SPOT}{assumed}{LEFT_OUT}"


def test_what_is_not_counted_is_told_and_the_rest_is_shown(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    broken = fleet()
    broken.failing["dog-replicas"] = refusal("AccessDenied")
    broken.living = {**broken.living, "cat-replicas": [("i-0a", "x1.new", at(24))]}
    odd = service_state()
    odd["deployment"]["resources"] = [one for one in odd["deployment"]["resources"] if one["type"] != TABLE_ITEM]
    assert ask("gateway", "--since", "2d", machines=broken, states=stacks(odd=odd, new=stack("new", "g5.xlarge"))) == 0
    printed = capsys.readouterr()
    first, second, *problems = printed.err.splitlines()
    assert [first, second] == ASKING.splitlines()[:2]
    assert problems[:-2] == [
        "dog: its costs are not counted: the AWS credentials do not allow this call (AccessDenied: no): allow it, then "
        "try again",
        "new: its costs are not counted: the Auto Scaling group new-replicas does not exist in us-east-1: run pulumi "
        "up --refresh",
        "odd: its costs are not counted: odd has no claim of a run name in its state: run pulumi up --stack odd",
        "cat: i-0a is not counted: the catalog has no price of the type x1.new",
    ]
    assert [line.split()[-2] for line in printed.out.splitlines()[1:6]] == ["$9.20", "-", "-", "-", "$9.20"]


def test_the_query_is_waited_for_and_a_terminal_shows_how_far_it_is(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Counting:
        waited: list[float] = []  # noqa: RUF012

        def now(self) -> float:
            return 0

        def sleep(self, seconds: float) -> None:
            self.waited.append(seconds)

    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert ask("gateway", "--since", "2d", running=2, clock=Counting()) == 0
    printed = capsys.readouterr()
    progress = "\r  9 lines read\x1b[K\r" * 2
    assert (printed.err, Counting.waited) == (f"{ASKING}{progress}{READ}", [0.5, 0.5])
    assert ask.logs.stopped == []  # type: ignore[attr-defined]


def test_ctrl_c_stops_the_query(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    class Impatient:
        def now(self) -> float:
            return 0

        def sleep(self, seconds: float) -> None:
            raise KeyboardInterrupt

    assert ask("gateway", "--since", "2d", running=1, clock=Impatient()) == 130
    assert capsys.readouterr() == ("", ASKING)
    assert len(ask.logs.stopped) == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("status", ["Failed", "Cancelled", "Timeout"])
def test_a_query_that_ends_badly_is_told(ask: Ask, status: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("gateway", "--since", "2d", status=status) == 1
    told = f"CloudWatch ended the query with the status {status}: try again, or ask for a shorter time with "
    assert capsys.readouterr() == ("", f"{ASKING}{told}ARGS='--since 1d'\n")


def test_without_requests_and_replicas_there_is_no_table(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    idle = Fleet(living={"cat-replicas": [], "dog-replicas": []}, ended={}, types={})
    assert ask("gateway", "--since", "2d", machines=idle, lines=[]) == 0
    none = "There is no request in the last 2d. Look further back with ARGS='--since 30d'\n"
    assert capsys.readouterr() == ("", f"{ASKING}{READ}{none}")


def kept(days: int) -> Any:
    """A gateway whose log keeps lines for some days."""
    state = gateway_state([GATEWAY])
    for resource in state["deployment"]["resources"]:
        if resource["type"] == LOG_GROUP:
            resource["outputs"]["retentionInDays"] = days
    return state


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["wolf"], "error: no stack named 'wolf' found"),
        (
            ["cat"],
            "cat is the stack of a service: name the stack of its gateway, which has the request lines of all its runs",
        ),
        (["gateway", "--since", "31d"], "AWS keeps the history of gateway for 30 days: ask for --since 30d"),
        (["other", "--since", "43d"], "AWS keeps the history of other for 42 days: ask for --since 42d"),
        (
            [],
            "make local does not serve on this machine. For a deployed gateway, name its stack: make usage "
            "STACK=gateway",
        ),
    ],
)
def test_what_cannot_be_shown_is_told(
    ask: Ask, line: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(*line, states=stacks(gateway=kept(30), other=gateway_state())) == 2
    asking = f"Asking pulumi for the stack {line[0]} …\n" if line else ""
    assert capsys.readouterr() == ("", f"{asking}{message}\n")


def test_a_log_group_that_is_gone_is_told(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    boto3.client("logs", REGION).delete_log_group(logGroupName=FUNCTION_LOG)  # pyright: ignore[reportUnknownMemberType]
    assert ask("gateway", "--since", "2d") == 1
    gone = "AWS refuses (ResourceNotFoundException: The specified log group does not exist.)\n"
    assert capsys.readouterr() == ("", f"{ASKING}{gone}")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["gateway", "--by", "user"], "argument --by: invalid choice: 'user' (choose from run, key, model, day)"),
        (
            ["gateway", "--since", "today"],
            "argument --since: 'today' is not a time: write a number with a unit, such as 30m or 2h",
        ),
        (
            ["gateway", "--since=99999999d"],
            "argument --since: '99999999d' is too long: write at most 3650d, which is 10 years",
        ),
        (["--since=3651d"], "argument --since: '3651d' is too long: write at most 3650d, which is 10 years"),
    ],
)
def test_a_wrong_command_line_is_told(
    ask: Ask, line: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        ask(*line)
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].replace("'run', 'key', 'model', 'day'", "run, key, model, day") == (
        f"make usage: error: {message}"
    )


def _row(
    name: str | None, counts: tuple[int, int], tokens: tuple[int, int] | None, ttft: Any, cost: Cost | None
) -> Row:
    prompt, completion = tokens or (None, None)
    p50, p95 = ttft or (None, None)
    requests = Requests(
        name=name,
        requests=counts[0],
        errors=counts[1],
        prompt_tokens=prompt,
        completion_tokens=completion,
        ttft_p50=p50,
        ttft_p95=p95,
        durations={},
    )
    return Row(requests=requests, cost=cost)
