"""Runs that share a model name: who gets a request by the weights, and who gets it if that run is down."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway_lambda.registry.file import FileRegistry
from tests.gateway.keys import record, secret
from tests.gateway.request_lines import Lines
from tests.gateway.scripted_tgi import (
    Asked,
    Script,
    Tgi,
    Write,
    answer,
    broken_stream,
    events,
    hang_up,
    reply,
    stream,
)
from tests.gateway.serving import HI, Bench, Clock, read_events
from tests.gateway.standing_clock import silence
from tests.gateway.test_openai_format import CHUNKS, COMPLETION

EMBEDDINGS = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}], "model": "m"}
EMPTY = reply(503, "<html>503 Service Temporarily Unavailable</html>", "text/html", Server="awselb/2.0")
"""What AWS's load balancer answers for a target group without targets."""
BUSY = reply(429, json.dumps({"error": "Model is overloaded", "error_type": "overloaded"}))
BROKEN = reply(500, json.dumps({"error": "CUDA error", "error_type": "generation"}))
CHAT = "/v1/chat/completions"


class Pair:
    """Two runs of the model `m`: `heavy`, which gets nearly all requests, and `light`."""

    def __init__(self, bench: Bench, *, weights: tuple[int, int] = (10**9, 1), **fields: Any) -> None:
        self.bench = bench
        self.heavy, self.light = bench.tgi, bench.upstream()
        self.weights = weights
        self.fields = fields
        self.asleep: tuple[str, ...] = ()

    def register(self, keys: tuple[dict[str, Any], ...] = (), **light: Any) -> None:
        services: list[dict[str, Any]] = []
        for run, server, weight in zip(("heavy", "light"), (self.heavy, self.light), self.weights, strict=True):
            fields = {**self.fields, **(light if run == "light" else {})}
            service = {**self.bench.service(run, auth=bool(keys), url=server.url, **fields), "weight": weight}
            services.append({**service, "min_replicas": 0} if run in self.asleep else service)
        self.bench.register(*services, keys=keys)

    def counts(self) -> tuple[int, int]:
        """The requests for generations that each has got."""
        return tuple(sum(asked.method == "POST" for asked in server.asked) for server in (self.heavy, self.light))  # type: ignore[return-value]

    def stop(self, *servers: Tgi) -> None:
        for server in servers:
            self.bench.loop.run(server.stop())

    def start(self, server: Tgi) -> None:
        self.bench.loop.run(server.start())


@pytest.fixture
def pair(bench: Bench) -> Pair:
    pair = Pair(bench)
    pair.register()
    return pair


@contextmanager
def seeded(seed: int) -> Generator[None]:
    state = random.getstate()
    random.seed(seed)
    yield
    random.setstate(state)


KINDS: dict[str, tuple[str, dict[str, Any], Script, str, dict[str, Any]]] = {
    "chat": ("tgi", {}, answer("Hi", "</s>*"), CHAT, {"messages": HI}),
    "stream": ("tgi", {}, answer("Hi", "</s>*"), CHAT, {"messages": HI, "stream": True}),
    "several answers": ("tgi", {}, answer("Hi", "</s>*"), CHAT, {"messages": HI, "n": 3}),
    "several streams": ("tgi", {}, answer("Hi", "</s>*"), CHAT, {"messages": HI, "n": 3, "stream": True}),
    "several prompts": ("tgi", {}, answer("Hi", "</s>*"), "/v1/completions", {"prompt": ["a", "b"]}),
    "responses": ("tgi", {}, answer("Hi", "</s>*"), "/v1/responses", {"input": "Hi"}),
    "messages": ("tgi", {}, answer("Hi", "</s>*"), "/v1/messages", {"messages": HI, "max_tokens": 5}),
    "passed": ("openai", {}, reply(200, json.dumps(COMPLETION)), CHAT, {"messages": HI}),
    "passed stream": ("openai", {}, stream(*CHUNKS), CHAT, {"messages": HI, "stream": True}),
    "embeddings": ("openai", {}, reply(200, json.dumps(EMBEDDINGS)), "/v1/embeddings", {"input": ["a"]}),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", ["down", "empty", "busy"])
def test_a_run_that_is_down_hands_each_kind_of_request_over(bench: Bench, kind: str, fault: str) -> None:
    format, fields, usual, path, body = KINDS[kind]
    pair = Pair(bench, format=format, **fields)
    pair.light.usual = usual
    pair.register()
    if fault == "down":
        pair.stop(pair.heavy)
    else:
        pair.heavy.usual = {"empty": EMPTY, "busy": BUSY}[fault]
    for _ in range(5):
        response = bench.post({"model": "m", **body}, path=path)
        assert response.status_code == 200, response.text
        assert '"error":{' not in response.text
    sent = len(body.get("prompt", [])) or body.get("n", 1)
    assert pair.counts()[1] == 5 * sent


def test_many_requests_are_shared_as_the_weights_say(bench: Bench) -> None:
    pair = Pair(bench, weights=(95, 5), format="openai")
    for server in (pair.heavy, pair.light):
        server.usual = reply(200, json.dumps(EMBEDDINGS))
    pair.register()
    with seeded(20261129):
        for _ in range(1000):
            assert bench.post({"model": "m", "input": "a"}, path="/v1/embeddings").status_code == 200
    heavy, light = pair.counts()
    assert heavy + light == 1000
    assert 22 <= light <= 78, "50, and four standard deviations of 6.9 on each side"


@pytest.mark.usefixtures("clock")
def test_requests_at_the_same_time_are_shared_by_the_weights_as_well(bench: Bench) -> None:
    """A run whose answers take long is not in doubt: it answers a question meanwhile."""
    pair = Pair(bench, weights=(1, 1), format="openai")
    everyone, waiting = asyncio.Event(), 0

    async def slow(asked: Asked, write: Write) -> None:
        nonlocal waiting
        if asked.method == "POST":
            waiting += 1
            if waiting == 64:
                everyone.set()
            await everyone.wait()
        await reply(200, json.dumps(COMPLETION))(asked, write)

    pair.heavy.usual = pair.light.usual = slow
    pair.register()
    bench.serve()

    def post(_: int) -> int:
        return bench.post().status_code

    with seeded(7), ThreadPoolExecutor(64) as pool:
        assert set(pool.map(post, range(64))) == {200}
    assert 16 <= pair.counts()[1] <= 48, "32, and four standard deviations of 4 on each side"


def test_a_stream_that_breaks_is_not_asked_for_again(pair: Pair) -> None:
    bench = pair.bench
    pair.heavy.usual = broken_stream(*events("Hel", "lo", finish=None))
    *chunks, last = read_events(bench.post(stream=True).text)
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == "Hello"
    assert last["error"]["code"] == "upstream_incomplete"
    assert pair.counts() == (1, 0)
    pair.stop(pair.heavy)
    assert bench.post().status_code == 200
    assert pair.counts() == (1, 1), "the next one goes to the other"


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("format", ["tgi", "openai"])
@pytest.mark.parametrize("fault", [BROKEN, hang_up], ids=["500", "no answer"])
def test_a_request_that_a_replica_may_have_begun_is_not_sent_twice(bench: Bench, format: str, fault: Script) -> None:
    pair = Pair(bench, format=format)
    pair.heavy.usual = fault
    pair.light.usual = answer("Hi") if format == "tgi" else reply(200, json.dumps(COMPLETION))
    pair.register()
    failed = [bench.post().status_code >= 500 for _ in range(8)]
    failures = failed.count(True)
    assert failed == [True] * failures + [False] * (8 - failures)
    assert 1 <= failures <= 3, "then the run is put aside; a question that it does not answer counts as well"
    assert pair.counts() == (failures, 8 - failures)


@pytest.mark.usefixtures("clock")
def test_a_run_that_hangs_is_found_by_a_question(bench: Bench) -> None:
    """A request that it got is not handed over, because a replica may have begun. Those that wait for an answer to the
    question are."""
    pair = Pair(bench, format="openai")
    pair.light.usual = reply(200, json.dumps(COMPLETION))

    async def hangs(asked: Asked, write: Write) -> None:
        await silence(2.0 if asked.method == "POST" else 0.3)

    pair.heavy.usual = hangs
    pair.register()
    bench.serve(plain_timeout=1.5, connect_timeout=0.2)
    assert [bench.post().status_code for _ in range(8)] == [504] * 2 + [200] * 6
    assert pair.counts() == (2, 6)


def test_behind_a_load_balancer_the_host_tells_the_runs_apart(bench: Bench) -> None:
    """As on AWS: both runs have the address of the load balancer, and one has no target."""
    balancer = bench.tgi

    async def by_host(asked: Asked, write: Write) -> None:
        there = asked.header("host") == "light.internal"
        await (reply(200, json.dumps(COMPLETION)) if there else EMPTY)(asked, write)

    balancer.usual = by_host
    services = [
        {**bench.service(run, format="openai", host=f"{run}.internal"), "weight": weight}
        for run, weight in (("heavy", 10**9), ("light", 1))
    ]
    for service in services:
        del service["url"]
    bench.register(*services)
    bench.serve(upstream=balancer.url)
    assert [bench.post().status_code for _ in range(4)] == [200] * 4
    hosts = [asked.header("host") for asked in balancer.asked]
    assert hosts.count("light.internal") == 4
    assert 1 <= hosts.count("heavy.internal") <= 4
    states = {run["run"]: run["state"] for run in bench.http.get(f"{bench.url}/v1/models/m").json()["runs"]}
    assert states == {"heavy": "down", "light": "ready"}


def test_of_several_answers_none_is_made_twice(pair: Pair) -> None:
    """One replica has begun with the first, so the others cannot go to another run."""
    pair.heavy.replies.extend([answer("Hi"), BUSY])
    response = pair.bench.post(n=2)
    assert (response.status_code, response.json()["error"]["code"]) == (429, "model_overloaded")
    assert pair.counts() == (2, 0)


def test_if_all_runs_are_down_the_error_names_each(pair: Pair) -> None:
    bench = pair.bench
    bench.serve()
    pair.stop(pair.heavy, pair.light)
    error = bench.post()
    cannot = "the gateway cannot connect to the run's replica, which may be starting or gone; try again shortly"
    said = [f"heavy: {cannot}", f"light: {cannot}"]
    assert error.status_code == 502
    assert error.json()["error"] == {
        "message": f"no run with this model name can take the request now: {said[0]}; {said[1]}",
        "type": "server_error",
        "param": None,
        "code": "upstream_unreachable",
    }


def test_if_one_run_is_down_and_the_other_busy_the_caller_is_told_to_wait(pair: Pair) -> None:
    pair.bench.serve()
    pair.stop(pair.heavy)
    pair.light.usual = BUSY
    error = pair.bench.post()
    assert (error.status_code, error.json()["error"]["code"]) == (429, "model_overloaded")
    assert error.headers["retry-after"] == "1"
    assert "light: Model is overloaded" in error.json()["error"]["message"]


def test_a_run_that_is_back_gets_its_requests_again(pair: Pair, clock: Clock) -> None:
    bench = pair.bench
    assert bench.post().status_code == 200
    pair.stop(pair.heavy)
    for _ in range(6):
        assert bench.post().status_code == 200
    assert pair.counts() == (1, 6)
    pair.start(pair.heavy)
    for _ in range(20):
        if pair.counts()[0] < 5:
            assert bench.post().status_code == 200
            clock.passes(0.5)
    assert pair.counts()[0] == 5
    before = pair.counts()[1]
    for _ in range(5):
        assert bench.post().status_code == 200
    assert pair.counts() == (10, before)


def test_a_request_to_a_run_s_own_address_stays_there(pair: Pair) -> None:
    pair.bench.serve()
    pair.stop(pair.heavy)
    found = pair.bench.post({"inputs": "Hi"}, path="/services/heavy/generate")
    assert (found.status_code, found.json()["error"]["code"]) == (502, "upstream_unreachable")
    assert pair.counts() == (0, 0)


def arrivals(out: str) -> list[str]:
    """The runs that a gateway with a table asks for a replica for."""
    return [line["Run"] for line in map(json.loads, out.splitlines()) if "Arrivals" in line]


def test_a_run_that_sleeps_is_not_woken_while_another_answers(pair: Pair, capfd: pytest.CaptureFixture[str]) -> None:
    pair.asleep = ("heavy",)
    pair.register()
    pair.bench.serve(registry="dynamodb:table", source=FileRegistry(str(pair.bench.file)))
    pair.heavy.usual, pair.heavy.info = EMPTY, None
    for _ in range(3):
        assert pair.bench.post().status_code == 200
    assert arrivals(capfd.readouterr().out) == []
    pair.stop(pair.light)
    assert pair.bench.post().status_code == 503
    assert arrivals(capfd.readouterr().out) == ["heavy"]


def test_a_run_that_sleeps_is_woken_when_the_other_one_fails(pair: Pair, capfd: pytest.CaptureFixture[str]) -> None:
    pair.asleep = ("heavy",)
    pair.register()
    pair.bench.serve(registry="dynamodb:table", source=FileRegistry(str(pair.bench.file)))
    pair.heavy.usual, pair.heavy.info = EMPTY, None
    pair.light.usual = BROKEN
    assert pair.bench.post().status_code == 500
    assert arrivals(capfd.readouterr().out) == ["heavy"]


def test_a_run_that_is_only_busy_is_not_woken(pair: Pair, capfd: pytest.CaptureFixture[str]) -> None:
    pair.asleep = ("heavy", "light")
    pair.register()
    pair.bench.serve(registry="dynamodb:table", source=FileRegistry(str(pair.bench.file)))
    pair.heavy.usual, pair.light.usual = BUSY, EMPTY
    assert pair.bench.post().status_code == 429
    assert arrivals(capfd.readouterr().out) == ["light"]


@pytest.mark.parametrize("path", [CHAT, f"/services/heavy{CHAT}"], ids=["a key of one run", "the run's own address"])
def test_a_request_that_no_other_run_can_have_waits_for_a_slow_one(bench: Bench, path: str) -> None:
    pair = Pair(bench, format="openai")
    pair.register(keys=(record("one", ["heavy"]),))

    async def slow(asked: Asked, write: Write) -> None:
        await asyncio.sleep(1.5)
        await reply(200, json.dumps(COMPLETION))(asked, write)

    pair.heavy.usual = slow
    pair.heavy.info = None
    bench.serve()

    def ask(_: int) -> int:
        headers = {"authorization": f"Bearer {secret('one')}"}
        return bench.http.post(bench.url + path, json={"model": "m", "messages": HI}, headers=headers).status_code

    with ThreadPoolExecutor(6) as several:
        assert list(several.map(ask, range(6))) == [200] * 6


def test_of_several_runs_that_sleep_a_request_wakes_one(pair: Pair, capfd: pytest.CaptureFixture[str]) -> None:
    pair.asleep = ("heavy", "light")
    pair.register()
    pair.bench.serve(registry="dynamodb:table", source=FileRegistry(str(pair.bench.file)))
    pair.heavy.usual = pair.light.usual = EMPTY
    assert pair.bench.post().status_code == 503
    assert arrivals(capfd.readouterr().out) == ["heavy"]


def test_the_line_of_a_request_names_the_run_that_answered(pair: Pair, tmp_path: Path) -> None:
    lines = Lines(pair.bench, tmp_path / "lines")
    pair.stop(pair.heavy)
    pair.bench.post()
    (line,) = lines.new()
    assert (line["Run"], line["status"], line["PromptTokens"]) == ("light", 200, 7)


def test_a_request_counts_once_for_its_key(bench: Bench) -> None:
    key = {**record("limited"), "requests_per_minute": 60}
    pair = Pair(bench)
    pair.register(keys=(key,))
    bench.serve()
    pair.stop(pair.heavy)
    headers = {"authorization": f"Bearer {secret('limited')}"}
    response = bench.http.post(bench.url + CHAT, json={"model": "m", "messages": HI}, headers=headers)
    assert (response.status_code, response.headers["x-ratelimit-remaining-requests"]) == (200, "59")


def test_the_limit_of_a_run_hands_nothing_over(pair: Pair) -> None:
    pair.bench.registry["services"][0]["rate_limits"] = [{"prefix": "/", "rps": 0.001}]
    pair.bench.write_registry()
    assert [pair.bench.post().status_code for _ in range(3)] == [200, 429, 429]
    assert pair.counts() == (1, 0)


def test_a_request_that_only_one_format_can_answer_goes_to_a_run_of_that_format(pair: Pair) -> None:
    pair.register(format="openai")
    pair.light.usual = reply(200, json.dumps(EMBEDDINGS))
    for _ in range(3):
        assert pair.bench.post({"model": "m", "input": "a"}, path="/v1/embeddings").json() == EMBEDDINGS
    assert pair.counts() == (0, 3)


def test_models_shows_the_runs_that_share_a_name(pair: Pair) -> None:
    bench = pair.bench
    pair.weights = (95, 5)
    pair.register()
    bench.serve()
    pair.stop(pair.light)
    shown = [
        {"run": "heavy", "weight": 95, "state": "ready"},
        {"run": "light", "weight": 5, "state": "down"},
    ]
    (model,) = bench.http.get(f"{bench.url}/v1/models").json()["data"]
    assert (model["id"], model["runs"]) == ("m", shown)
    assert bench.http.get(f"{bench.url}/v1/models/m").json()["runs"] == shown
    assert pair.counts() == (0, 0)


def test_a_run_begins_and_ends_to_share_its_name_while_it_serves(bench: Bench) -> None:
    pair = Pair(bench)
    alone = {**bench.service("heavy"), "weight": 10**9}
    bench.register(alone)
    assert bench.post().status_code == 200
    pair.register()
    pair.stop(pair.heavy)
    assert [bench.post().status_code for _ in range(6)] == [200] * 6
    assert pair.counts() == (1, 6)
    bench.register(alone)
    assert bench.post().json()["error"]["message"].startswith("the gateway cannot connect to the run's replica")


def test_models_shows_only_runs_that_the_caller_may_use(bench: Bench) -> None:
    pair = Pair(bench, weights=(95, 5))
    pair.register(keys=(record("light", ["light"]), record("all", ["*"])))

    def runs(key: str) -> Any:
        headers = {"authorization": f"Bearer {secret(key)}"}
        return bench.http.get(f"{bench.url}/v1/models/m", headers=headers).json().get("runs")

    assert runs("light") is None
    assert [each["run"] for each in runs("all")] == ["heavy", "light"]
