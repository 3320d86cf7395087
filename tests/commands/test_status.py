"""`make status` of services: the whole table that it prints, and the same as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from commands.stack_state import GROUP
from commands.status.__main__ import main
from commands.status.collecting import Means
from commands.status.local_runs import LocalRun
from tests.commands.stacks import FakePulumi, reserved, service_state
from tests.readiness.cloud import (
    BEGAN,
    Cloud,
    Event,
    fails,
    health,
    launch_fails,
    measures,
    refreshes,
    refusal,
    says,
    starts,
    together,
)

A, B = "i-0aaaaaaaaaaaaaaaa", "i-0bbbbbbbbbbbbbbbb"
NOW = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)
ASKING = "Asking pulumi for the stack cat, then AWS …\n"
PRICES = """\
Prices are on-demand list prices of us-east-1 on 2026-07-20. Spot costs less.
TODAY and MONTH, in UTC, also count replicas that have ended. They do not count disks, data and the gateway.
"""
URL = "yellow-cat-1: https://yellow-cat-1.example.com\n"
LOCAL = LocalRun(
    run="red-dog-1",
    url="http://127.0.0.1:8000/services/red-dog-1/",
    model="mistralai/Mistral-7B-Instruct-v0.1",
    configuration="serve.dstack.yml",
    server="SmolLM2 stands in for it",
    since=NOW - timedelta(minutes=4),
    requests_per_second=0.3,
    tokens_per_second=12,
)
MEASURED = {"GpuUse": 96.6, "GpuMemory": 81, "requests_per_second": 0.42, "tokens_per_second": 812.4, "Running": 9}


class Launched(Cloud):
    """A cloud whose instances say when they began. `A` has run for 30 hours on demand, the others for 30 minutes."""

    wrote: Mapping[str, str] = {}
    """Instance -> the type in its log."""

    def describe_instances(self, *, Filters: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        self._asked("describe_instances")
        assert Filters == [{"Name": "instance-id", "Values": list(self.replicas)}]
        found = [
            {"InstanceId": name, "LaunchTime": NOW - timedelta(hours=30)}
            if name == A
            else {"InstanceId": name, "LaunchTime": NOW - timedelta(minutes=30), "InstanceLifecycle": "spot"}
            for name in self.replicas
        ]
        return {"Reservations": [{"Instances": [one]} for one in found]}

    def get_log_events(self, *, logGroupName: str, logStreamName: str, limit: int, startFromHead: bool) -> Any:
        self._asked("get_log_events")
        assert (logGroupName, limit, startFromHead) == ("/servestack/yellow-cat-1", 1, True)
        instance, _, part = logStreamName.partition("/")
        assert part == "figures"
        if instance not in self.wrote:
            raise refusal("ResourceNotFoundException")
        return {"events": [{"message": json.dumps({"instance": instance, "type": self.wrote[instance]})}]}


def shown(
    *line: str, events: Sequence[Event] = (), pulumi: FakePulumi | None = None, clock: Any = None, **cloud: Any
) -> int:
    made = Launched([(0, together(*events))], **cloud)
    made.clients()
    means = Means(
        pulumi=pulumi or FakePulumi({"cat": service_state()}),
        clients=lambda region, profile: lambda name: made,
        local=lambda: (LOCAL,),
        now=lambda: NOW,
    )
    return main(line, means=means, clock=clock)


def test_replicas_are_rows_below_their_run(capsys: pytest.CaptureFixture[str]) -> None:
    serves = [starts(A), health(A, "healthy"), says(A, "serving", 100), measures(A, NOW.timestamp() - 60, **MEASURED)]
    events = [*serves, starts(B), says(B, "pulling image", 40)]
    outputs = {"url": "https://yellow-cat-1.example.com", "model": "mistralai/Mistral-7B-Instruct-v0.1"}
    pulumi = FakePulumi({"cat": service_state(outputs)})
    assert shown("cat", events=events, pulumi=pulumi, desired=2) == 0
    assert capsys.readouterr() == (
        f"""\
RUN                    STATE                    TYPE       ZONE        SPOT    AGE  GPU %  MEM %  REQ/S  TOK/S
yellow-cat-1           serving: 1 of 2 healthy                                                     0.42    812
  {A}  healthy                  g5.xlarge  us-east-1a  no    1d 6h     97     81   0.42    812
  {B}  pulling image, 40 %      g5.xlarge  us-east-1a  yes     30m

yellow-cat-1: https://yellow-cat-1.example.com, model mistralai/Mistral-7B-Instruct-v0.1
  replicas: 1 to 2

RUN           PRICE/H   TODAY    MONTH
yellow-cat-1  <$2.012  <$2.52  <$26.66
{PRICES}""",
        ASKING,
    )


def test_the_table_fits_into_120_columns_and_what_is_longer_stands_below_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    c = "i-0cccccccccccccccc"
    events = [
        starts(A, type="p4d.24xlarge", zone="ap-southeast-1a"),
        health(A, "unhealthy", "Target.Timeout", "Request timed out"),
        says(A, "waiting for port 8000, 12.3 GB of weights on disk"),
        measures(A, NOW.timestamp(), GpuUse=100, GpuMemory=100, requests_per_second=123.4, tokens_per_second=12345),
        starts(B),
        says(B, "loading", cause="it ended with status 1"),
        measures(B, NOW.timestamp() - 181, **MEASURED),
        starts(c),
        says(c, "machine ready", cause="no GPU", final=True),
        measures(c, NOW.timestamp(), DiskUse=3),
        refreshes("InProgress", 50),
    ]
    assert shown("cat", events=events, desired=3) == 0
    rows, about, _ = capsys.readouterr().out.split("\n\n")
    assert max(map(len, rows.splitlines())) == 120
    assert (
        rows
        == f"""\
RUN                    STATE                     TYPE          ZONE             SPOT    AGE  GPU %  MEM %  REQ/S   TOK/S
yellow-cat-1           starting: 0 of 3 healthy                                                              123  12,345
  {A}  waiting for port 8000,…   p4d.24xlarge  ap-southeast-1a  no    1d 6h    100    100    123  12,345
  {B}  loading: failed, tries…   g5.xlarge     us-east-1a       yes     30m
  {c}  stopped                   g5.xlarge     us-east-1a       yes     30m"""
    )
    assert (
        about
        == f"""\
{URL}  replicas: 1 to 2
  roll: InProgress, 50 %
  {A}: waiting for port 8000, 12.3 GB of weights on disk
  {B}: loading: failed, tries again
  last problem: {c}: stopped: no GPU"""
    )


@pytest.mark.parametrize(
    ("each", "cell"), [(0, "0"), (0.02, "0.02"), (0.5, "0.50"), (3.14, "3.1"), (9.99, "10.0"), (1234.5, "1,234")]
)
def test_rates_have_the_digits_that_count(each: float, cell: str, capsys: pytest.CaptureFixture[str]) -> None:
    measured = measures(A, NOW.timestamp(), requests_per_second=each)
    assert shown("cat", events=[starts(A), health(A, "healthy"), says(A, "serving"), measured], maximum=1) == 0
    lines = capsys.readouterr().out.splitlines()[1:3]
    assert [line.split()[-1] for line in lines] == [cell, cell]


OFFERS = {
    "launchTemplate": {
        "launchTemplateSpecification": {"launchTemplateId": "lt-1", "version": "2"},
        "overrides": [{"instanceType": "g6.xlarge"}, {"instanceType": "g5.2xlarge"}],
    },
    "instancesDistribution": {"onDemandBaseCapacity": 0, "onDemandPercentageAboveBaseCapacity": 100},
}


def test_replicas_that_have_ended_count_in_the_costs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Launched, "wrote", {"i-0c01": "g5.2xlarge"})
    midnight = NOW.replace(hour=0)
    events = [
        starts(A),
        health(A, "healthy"),
        lived("i-0c01", midnight - timedelta(hours=10), midnight + timedelta(hours=1)),
    ]
    pulumi = FakePulumi({"cat": service_state(changed={GROUP: {"mixedInstancesPolicy": OFFERS}})})
    assert shown("cat", events=events, pulumi=pulumi, maximum=1) == 0
    # g5.2xlarge: $1.212 an hour, for 1 hour of today and for 11 of the month
    assert (
        capsys.readouterr().out.split("\n\n")[2]
        == f"""\
RUN                              PRICE/H  TODAY   MONTH
yellow-cat-1                      $1.006  $3.22  $39.49
  of these, ended this month: 1           $1.21  $13.33
{PRICES}"""
    )

    events.append(lived("i-0c02", midnight - timedelta(hours=2), midnight))
    assert shown("cat", events=events, pulumi=pulumi, maximum=1) == 0
    printed = capsys.readouterr().out
    # g6.xlarge, the first offer: $0.8048 an hour
    assert (
        printed.split("\n\n")[2]
        == f"""\
RUN                              PRICE/H   TODAY    MONTH
yellow-cat-1                     ~$1.006  ~$3.22  ~$41.10
  of these, ended this month: 2           ~$1.21  ~$14.94
{PRICES}\
~: a replica that has ended does not say its type. It counts as the plan's first offer.
"""
    )


def test_replicas_in_a_reservation_have_the_type_of_the_launch_template(capsys: pytest.CaptureFixture[str]) -> None:
    midnight = NOW.replace(hour=0)
    events = [starts(A), health(A, "healthy"), lived("i-0c01", midnight, midnight + timedelta(hours=1))]
    assert shown("cat", events=events, pulumi=FakePulumi({"cat": reserved(service_state(), "g5.2xlarge")})) == 0
    # g5.2xlarge: $1.212 an hour, for 1 hour
    assert (
        capsys.readouterr().out.split("\n\n")[2]
        == f"""\
RUN                              PRICE/H  TODAY   MONTH
yellow-cat-1                      $1.006  $3.22  $27.37
  of these, ended this month: 1           $1.21   $1.21
{PRICES}"""
    )


@pytest.mark.parametrize(
    ("events", "state", "problem"),
    [
        (
            [starts(A), says(A, "pulling image", cause="the image was not found", final=True)],
            "failed: 0 of 1 healthy",
            f"{A}: stopped: the image was not found",
        ),
        (
            [starts(A), health(A, "unhealthy", "Target.Timeout", "Request timed out")],
            "starting: 0 of 1 healthy",
            f"{A}: the health check does not succeed (Request timed out)",
        ),
        (
            [starts(A), health(A, "healthy"), refreshes("InProgress", 50)],
            "serving: 1 of 1 healthy",
            None,
        ),
        (
            [starts(A), health(A, "healthy"), refreshes("Failed", 50, "No instance type fits.")],
            "serving: 1 of 1 healthy",
            "the last roll ended with the status Failed at 50 %: No instance type fits.",
        ),
        (
            [says(B, "loading", cause="the GPU has too little memory", final=True)],
            "starting: 0 of 1 healthy",
            f"{B}, which has ended: stopped: the GPU has too little memory",
        ),
        (
            [
                says(A, "loading", cause="the second one", final=True, at=1795400020),
                says(B, "loading", cause="the first one", final=True, at=1795400010),
            ],
            "starting: 0 of 1 healthy",
            f"{A}, which has ended: stopped: the second one",
        ),
        ([launch_fails("Something new.")], "starting: 0 of 1 healthy", "no instance started: Something new."),
        ([launch_fails("Something new."), starts(A), health(A, "healthy")], "serving: 1 of 1 healthy", "…"),
        (
            [starts(A), health(A, "healthy"), fails("query", refusal("AccessDenied"))],
            "serving: 1 of 1 healthy",
            None,
        ),
    ],
)
def test_the_state_and_the_last_problem(
    events: Sequence[Event], state: str, problem: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    if problem == "…":  # the start after the failure ends it
        events = [*events, _launches]
        problem = None
    assert shown("cat", events=events, maximum=1) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.split(" {2,}", lines[1])[:2] == ["yellow-cat-1", state]
    problems = [line for line in lines if line.startswith("  last problem: ")]
    assert problems == ([] if problem is None else [f"  last problem: {problem}"])


@pytest.mark.parametrize(("planned", "state"), [(0, "asleep"), (1, "stopped")])
def test_a_service_without_replicas_is_asleep_or_stopped(
    planned: int, state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pulumi = FakePulumi({"cat": service_state(changed={GROUP: {"minSize": planned}})})
    assert shown("cat", pulumi=pulumi, minimum=0, desired=0) == 0
    rows = [
        f"RUN           {'STATE':{len(state)}}  TYPE  ZONE  SPOT  AGE  GPU %  MEM %  REQ/S  TOK/S",
        f"yellow-cat-1  {state}",
    ]
    assert capsys.readouterr().out.splitlines() == [
        *rows,
        "",
        *URL.splitlines(),
        "  replicas: 0 to 2",
        "",
        "RUN           PRICE/H  TODAY  MONTH",
        "yellow-cat-1       $0  $0.00  $0.00",
        *PRICES.splitlines(),
    ]


def test_what_aws_does_not_say_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    denied = refusal("UnauthorizedOperation")
    events = [starts(A), health(A, "healthy"), fails("describe_instances", denied), fails("query", denied)]
    assert shown("cat", events=events, maximum=1) == 0
    assert capsys.readouterr().out == (
        f"""\
RUN                    STATE                    TYPE       ZONE        SPOT  AGE  GPU %  MEM %  REQ/S  TOK/S
yellow-cat-1           serving: 1 of 1 healthy
  {A}  healthy                  g5.xlarge  us-east-1a  ?       ?

{URL}\
  AWS does not answer dynamodb:Query (UnauthorizedOperation: no)
  AWS does not answer ec2:DescribeInstances (UnauthorizedOperation: no)

RUN           PRICE/H  TODAY  MONTH
yellow-cat-1        ?      ?      ?
{PRICES.rstrip()}
?: not in the catalog, or EC2 did not say.
"""
    )


def test_without_a_stack_there_are_all_stacks_and_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    empty = {"version": 3, "deployment": {"resources": []}}
    pulumi = FakePulumi({"cat": service_state(), "new": empty, "odd": service_state(changed={})})
    pulumi.stacks["odd"]["deployment"]["resources"].pop()  # type: ignore[index]
    assert shown(events=[starts(A), health(A, "healthy")], pulumi=pulumi, maximum=1) == 1
    assert capsys.readouterr() == (
        f"""\
RUN                    STATE                    TYPE       ZONE        SPOT    AGE  GPU %  MEM %  REQ/S  TOK/S
yellow-cat-1           serving: 1 of 1 healthy
  {A}  healthy                  g5.xlarge  us-east-1a  no    1d 6h

{URL}
On this machine, by make local:
RUN        STATE    AGE  REQ/S  TOK/S  URL                                        MODEL
red-dog-1  serving   4m   0.30     12  http://127.0.0.1:8000/services/red-dog-1/  mistralai/Mistral-7B-Instruct-v0.1
red-dog-1: SmolLM2 stands in for it

Not deployed: new

odd: not known: odd has no claim of a run name in its state: run pulumi up --stack odd

RUN           PRICE/H  TODAY   MONTH
yellow-cat-1   $1.006  $2.01  $26.16
{PRICES}""",
        "Asking pulumi for the stacks, then AWS …\n",
    )


def test_credentials_that_are_missing_are_told_once_a_stack(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown("cat", events=[fails("describe_auto_scaling_groups", refusal("ExpiredToken", "old"))]) == 1
    expired = "the AWS credentials have expired (ExpiredToken): run aws sso login, or export new ones"
    assert capsys.readouterr().out == f"cat: not known: {expired}\n"


def test_a_group_that_is_gone_and_a_stack_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert (shown("cat", exists=False), shown("dog")) == (1, 1)
    assert capsys.readouterr().out.splitlines() == [
        "cat: not known: the Auto Scaling group yellow-cat-1-replicas-1a2b3c4 of cat does not exist in us-east-1: run "
        "pulumi up --refresh",
        "dog: not known: error: no stack named 'dog' found",
    ]


def test_json_has_everything_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    events = [starts(B), says(B, "pulling image", 40), measures(B, 1795400000, DiskUse=43, type="g5.xlarge")]
    assert shown("cat", "--json", events=events, maximum=1) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    costs = {"an_hour": 1.006, "today": 0.503, "this_month": 0.503}
    unknown = ("gpu_use", "gpu_memory", "gpu_temperature", "gpu_power", "running", "waiting")
    rates = ("requests_per_second", "tokens_per_second")
    figures = {"at": 1795400000, "type": "g5.xlarge", "disk_use": 43, **dict.fromkeys((*unknown, *rates))}
    replica = {
        "instance": B,
        "type": "g5.xlarge",
        "zone": "us-east-1a",
        "spot": True,
        "launched": "2026-11-02T01:30:00Z",
        "health": "starting",
        "step": "pulling image",
        "percent": 40,
        "cause": None,
        "final": False,
        "figures": figures,
        "list_price": costs,
        "group": None,
    }
    service = {
        "stack": "cat",
        "run": "yellow-cat-1",
        "region": "us-east-1",
        "url": "https://yellow-cat-1.example.com",
        "model": None,
        "state": "starting",
        "healthy": 0,
        "desired": 1,
        "minimum": 1,
        "maximum": 1,
        "groups": [],
        "replicas": [replica],
        "roll": None,
        "problem": None,
        "ended": [],
        "list_price": costs,
        "unanswered": [],
    }
    assert [json.loads(line) for line in printed.out.splitlines()] == [
        {
            "at": "2026-11-02T02:00:00Z",
            "services": [service],
            "gateways": [],
            "local": [],
            "not_deployed": [],
            "unknown": [],
            "prices_region": "us-east-1",
            "prices_as_of": "2026-07-20",
        }
    ]


def test_watching_looks_again_until_ctrl_c(capsys: pytest.CaptureFixture[str]) -> None:
    class Twice:
        waited: list[float] = []  # noqa: RUF012

        def now(self) -> float:
            return 0

        def sleep(self, seconds: float) -> None:
            self.waited.append(seconds)
            if len(self.waited) == 2:
                raise KeyboardInterrupt

    assert shown("dog", "--watch", clock=Twice()) == 130
    once = "2026-11-02 02:00:00 UTC\n\ndog: not known: error: no stack named 'dog' found\n\n"
    assert (capsys.readouterr().out, Twice.waited) == (once * 2, [10, 10])


def lived(instance: str, began: datetime, ended: datetime) -> Event:
    """A replica that started and has ended."""

    def event(cloud: Cloud) -> None:
        for what, at in (
            (f"Launching a new EC2 instance: {instance}", began),
            (f"Terminating EC2 instance: {instance}", ended),
        ):
            cloud.activities.append(
                {
                    "ActivityId": f"{instance}-{at:%s}",
                    "StatusCode": "Successful",
                    "Description": what,
                    "StartTime": at - timedelta(minutes=17) if at is ended else at,
                    "EndTime": at if at is ended else at + timedelta(minutes=2),
                }
            )

    return event


def _launches(cloud: Cloud) -> None:
    cloud.activities.append(
        {
            "ActivityId": "start-9",
            "StatusCode": "Successful",
            "Description": "Launching a new EC2 instance: i-1",
            "StartTime": BEGAN,
        }
    )
