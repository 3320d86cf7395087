"""What the page says of starting and failing runs, and of what they did lately, from the items of their replicas."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gateway_lambda.page.reports import LEAVING, SERVING, Report, report
from gateway_lambda.registry.dynamodb import DynamoRegistry
from gateway_lambda.registry.state_items import PATIENCE
from gateway_lambda.registry.table import StateItem
from tests.gateway.keys import ALL, secret
from tests.gateway.scripted_tgi import reply
from tests.gateway.serving import Bench, Clock
from tests.registry.scripted_dynamodb import Table, scripted_dynamodb
from tests.support.processes import ROOT, wait_until

NOW = 1_800_000_000
MINUTE = 60


def item(instance: str, step: str, ago: float = 0, **fields: Any) -> StateItem:
    """An item whose step was written `ago` seconds before now."""
    return StateItem(instance=instance, step=step, at=NOW - ago, **fields)


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([], Report()),
        (
            [item("i-1", "pulling image", percent=40.0)],
            Report(starting=True, step="pulling image", percent=40, count=1),
        ),
        (
            [item("i-1", "serving", 60 * MINUTE, figures_at=NOW - 50, requests_per_second=0.5, tokens_per_second=20)],
            Report(ready=1, count=1, requests_per_second=0.5, tokens_per_second=20),
        ),
        (
            [
                item("i-1", "serving", 9999, figures_at=NOW - 5, requests_per_second=0.5, tokens_per_second=20),
                item("i-2", "serving", 9999, figures_at=NOW - 179, requests_per_second=1),
                item("i-3", "serving", 9999, figures_at=NOW - 181, requests_per_second=7, tokens_per_second=7),
                item("i-4", "serving", 30),
            ],
            Report(ready=3, count=3, requests_per_second=1.5, tokens_per_second=20),
        ),
        ([item("i-1", "serving", 200)], Report()),
        (
            [item("i-2", "pulling image", percent=1), item("i-1", "loading", 899), item("i-0", "loading", 901)],
            Report(starting=True, step="loading", count=2),
        ),
        (
            [item("i-1", "waiting for port 80", 3000, figures_at=NOW - 30)],
            Report(starting=True, step="waiting for port 80", count=1),
        ),
        (
            [item("i-1", "pulling image", 5000, cause="the image was not found", final=True)],
            Report(failed=True, problem="the image was not found"),
        ),
        (
            [
                item("i-2", "pulling image", 5000, cause="the image was not found", final=True),
                item("i-1", "machine ready", 10),
            ],
            Report(starting=True, step="machine ready", problem="the image was not found", count=1),
        ),
        (
            [item("i-1", "loading", 10, cause="out of memory"), item("i-2", "loading", 20, percent=5)],
            Report(starting=True, step="loading", percent=5, problem="out of memory", count=2),
        ),
        (
            [item("i-1", "being replaced", 10, cause="it hangs"), item("i-2", "serving", 9, cause="it restarts")],
            Report(starting=True, problem="it restarts", count=2),
        ),
        (
            [item("i-1", "loading", 3000, cause="old", final=True), item("i-2", "serving", 2000)],
            Report(problem="old"),
        ),
        ([item("i-1", "", 9999, figures_at=NOW - 9, tokens_per_second=3)], Report(tokens_per_second=3)),
    ],
    ids=[
        "nothing",
        "one starts",
        "one serves",
        "rates are added while they are recent",
        "it served, and says nothing more",
        "of several that start, the first by name",
        "figures show that it lives",
        "it stopped for good",
        "the next one starts",
        "one without a problem is shown",
        "what does not serve any more starts again",
        "a later one served",
        "only figures are left",
    ],
)
def test_items_are_read_together(items: list[StateItem], said: Report) -> None:
    assert report(items, NOW) == said


def test_the_steps_that_mean_something_are_those_of_the_boot_script() -> None:
    script = "".join(path.read_text() for path in (ROOT / "infra" / "planning" / "boot").glob("*.sh"))
    assert [script.count(f"'{step}'") for step in (SERVING, LEAVING)] == [1, 1]


@pytest.fixture
def table(bench: Bench, clock: Clock) -> Iterator[Table]:
    """A gateway as on AWS: its registry is a table, and its runs are behind one load balancer without replicas.

    No time passes in which it would read the registry again.
    """
    now = time.time()
    with scripted_dynamodb() as table:
        balancer = bench.upstream()
        balancer.usual = reply(503, "", server="awselb/2.0")
        registry = DynamoRegistry("registry-1", table.environment, lambda: now)
        bench.serve(upstream=balancer.url, registry="dynamodb:registry-1", source=registry)
        yield table


def put(table: Table, run: str, **fields: Any) -> None:
    model = {"name": run, "format": "openai"}
    table.put_run(run, host=f"{run}.internal", **{"model": model, "min_replicas": 0, **fields})


def test_runs_that_start_fail_or_sleep_are_told_apart(bench: Bench, table: Table) -> None:
    for run in ("asleep", "starts", "fails"):
        put(table, run)
    put(table, "web", model=None)
    put(table, "gone", min_replicas=1)
    table.put_state("starts", "i-1", step={"S": "pulling image"}, percent={"N": "40"})
    table.put_state("fails", "i-1", step={"S": "loading"}, cause={"S": "no GPU"}, final={"BOOL": True})
    table.put_state("web", "i-1", step={"S": "serving"})
    known = ("state", "step", "percent", "problem", "replicas")
    assert {run: {name: one[name] for name in known if name in one} for run, one in listed(bench).items()} == {
        "asleep": {"state": "asleep"},
        "fails": {"state": "failing", "problem": "no GPU"},
        "gone": {"state": "down"},
        "starts": {
            "state": "starting",
            "step": "pulling image",
            "percent": 40,
            "replicas": {"count": 1, "ready": 0},
        },
        "web": {"state": "ready", "replicas": {"count": 1, "ready": 1}},
    }


def test_a_run_that_serves_shows_what_its_replicas_did_lately(bench: Bench, table: Table) -> None:
    serving = bench.upstream()
    serving.usual = reply(200, "{}")
    put(table, "cat", url=serving.url)
    figures = {"Table": "t", "Run": "cat", "GpuUse": 80, "requests_per_second": 0.25, "tokens_per_second": 30.5}
    for instance in ("i-1", "i-2"):
        table.put_serving("cat", instance, **figures)
    table.put_state("cat", "i-3", step={"S": "loading"}, cause={"S": "slow"})
    one = listed(bench)["cat"]
    assert (one["state"], one["requests_per_second"], one["tokens_per_second"]) == ("ready", 0.5, 61.0)
    assert {"problem", "step"}.isdisjoint(one)


@pytest.mark.parametrize(
    "broken",
    [
        {"figures": {"S": "["}, "figures_at": {"N": "1"}},
        {"figures": {"S": '{"tokens_per_second": -1}'}},
        {"figures": {"S": '{"tokens_per_second": "many"}'}},
        {"figures": {"N": "1"}},
        {"step": {"L": []}},
        {"ttl": {"N": "5"}},
        {"percent": {"S": "most"}},
        {"at": {"B": "AA=="}},
        {"at": {}},
    ],
)
def test_a_broken_or_expired_item_harms_no_other(bench: Bench, table: Table, broken: dict[str, Any]) -> None:
    put(table, "cat")
    table.put_state("cat", "i-1", **broken)
    table.put_state("cat", "i-2", step={"S": "loading"})
    one = listed(bench)["cat"]
    assert (one["state"], one["step"], "tokens_per_second" in one) == ("starting", "loading", False)


def test_only_who_can_use_a_run_learns_how_it_is(bench: Bench, table: Table) -> None:
    put(table, "closed", auth=True)
    table.put("key#all", record={"S": json.dumps(ALL)})
    table.put_state("closed", "i-1", step={"S": "loading"}, cause={"S": "no GPU"})
    assert listed(bench) == {}
    assert asked_partitions(table) == ["registry"]
    assert listed(bench, secret("all"))["closed"]["problem"] == "no GPU"
    assert "state#closed" in asked_partitions(table)


def test_callers_together_make_one_query_a_run(bench: Bench, table: Table) -> None:
    put(table, "a")
    put(table, "b")
    for _ in range(4):
        listed(bench)
    assert sorted(asked_partitions(table)) == ["registry", "state#a", "state#b"]


def test_if_the_table_does_not_answer_the_list_comes_without_it(
    bench: Bench, table: Table, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    put(table, "a")
    put(table, "b")
    bench.http.get(f"{bench.url}/v1/models")
    table.go.clear()
    with caplog.at_level(logging.ERROR), ThreadPoolExecutor(1) as pool:
        answer = pool.submit(listed, bench)
        wait_until(lambda: len(asked_partitions(table)) == 3, what="a query for each run")
        clock.passes(PATIENCE + 0.5)
        assert {run: one["state"] for run, one in answer.result().items()} == {"a": "asleep", "b": "asleep"}
    assert [record.getMessage() for record in caplog.records] == [
        "the state items in registry-1 cannot be read, and the page lacks them: no answer in time"
    ]


def test_a_hundred_runs_do_not_open_a_hundred_connections(bench: Bench, table: Table) -> None:
    for number in range(100):
        put(table, f"run-{number}")
        table.put_state(f"run-{number}", "i-1", step={"S": "loading"})
    assert {one["state"] for one in listed(bench).values()} == {"starting"}
    assert len(asked_partitions(table)) == 101
    assert table.most_at_once <= 8


def listed(bench: Bench, key: str | None = None) -> dict[str, Any]:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    answer = bench.http.get(f"{bench.url}/runs", headers=headers)
    assert answer.status_code == 200
    return {one["run"]: one for one in answer.json()["data"]}


def asked_partitions(table: Table) -> list[str]:
    return [asked["ExpressionAttributeValues"][":pk"]["S"] for asked in table.asked]
