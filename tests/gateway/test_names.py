"""Which run gets the requests for a model name, and that no answer tells a name to a caller who cannot use it."""

from __future__ import annotations

import asyncio
import logging
from random import Random
from typing import Any

import httpx
import pytest

from gateway_lambda.errors import RequestError, run_not_found
from gateway_lambda.registry.counters import MemoryCounters
from gateway_lambda.registry.record import Holder, Key, Model, ModelClaim, Registry, Service
from gateway_lambda.registry.table import Table
from gateway_lambda.routing.keys import Admission
from gateway_lambda.server.exchange import Exchange
from tests.gateway.keys import ALL, ONE_RUN, record, secret
from tests.gateway.serving import Bench


def service(run: str, created: int = 0, weight: int | None = None, model: str = "m") -> Service:
    return Service(run=run, weight=weight, model=Model(name=model, created=created))


def claim(*runs: str, shared: bool = False) -> ModelClaim:
    return ModelClaim(model="m", holders=[Holder(run=run, owner=f"o/p/{run}") for run in runs], shared=shared)


@pytest.mark.parametrize(
    ("services", "claims", "asked"),
    [
        ([service("b", 5), service("a", 9)], [], ["b"]),
        ([service("b"), service("a")], [], ["a"]),
        ([service("b", 5), service("a", 9, weight=1)], [], ["b"]),
        ([service("b", 5, weight=1), service("a", 9)], [], ["b"]),
        ([service("b", 5, weight=1), service("a", 9, weight=2), service("c", 7)], [], ["b", "a"]),
        ([service("b"), service("a")], [claim("b")], ["b"]),
        ([service("b", weight=1), service("a", weight=1)], [claim("b")], ["b"]),
        ([service("b"), service("a")], [claim("a", "b", shared=True)], ["a", "b"]),
        ([service("b"), service("a"), service("c")], [claim("b", "c", shared=True)], ["b", "c"]),
        ([service("old"), service("new")], [claim("old", "new")], ["old"]),
        ([service("new")], [claim("old", "new")], ["new"]),
        ([service("b")], [claim("a")], []),
    ],
    ids=[
        "who was first",
        "of the same age, by name",
        "a weight alone does not share another's name",
        "nor does one whose other has none",
        "those with a weight share",
        "the claim's holder",
        "a claim that is not shared",
        "a claim that is",
        "holders alone",
        "a run that is renamed",
        "and has been",
        "a name that is another's, who is not there yet",
    ],
)
def test_a_model_name_is_served_by_whose_it_is(
    services: list[Service], claims: list[ModelClaim], asked: list[str]
) -> None:
    table = Table(Registry(services=services, claims=claims))
    assert [service.run for service in table.model("m")] == asked
    assert [[one.run for one in found] for found in table.models()] == ([asked] if asked else [])


def test_a_run_that_gets_no_requests_by_its_model_s_name_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    first = Table(Registry(services=[service("a"), service("b")]))
    again = Table(Registry(services=[service("a"), service("b"), service("c", model="other")]), first)
    Table(Registry(services=[service("a"), service("b"), service("d")]), again)
    assert [entry.getMessage() for entry in caplog.records] == [
        "the model name 'm' belongs to another run, so that the run 'b' gets no requests for it",
        "the model name 'm' belongs to another run, so that the run 'd' gets no requests for it",
    ]


def test_the_prompts_of_a_name_do_not_go_to_whoever_comes_later(bench: Bench) -> None:
    later = bench.upstream()
    bench.register(bench.service(), bench.service("later", url=later.url, created=9))
    bench.chat()
    assert (len(bench.tgi.generated), len(later.generated)) == (1, 0)
    bench.register(bench.service(auth=True), bench.service("later", url=later.url, created=9), keys=(ALL,))
    assert bench.post().status_code == 401, "a caller without the first one's key is not handed to the other"
    assert later.generated == []


def test_runs_with_weights_share_the_requests_by_them(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway_lambda.routing.sharing.random", Random(1))
    other = bench.upstream()
    heavy = {**bench.service("heavy"), "weight": 3}
    light = {**bench.service("light", url=other.url), "weight": 1}
    bench.register(heavy, light)
    for _ in range(120):
        assert bench.post().status_code == 200
    share = len(other.generated) / 120
    assert len(bench.tgi.generated) + len(other.generated) == 120
    assert 0.15 < share < 0.35, "about a quarter; always the same, because the choice begins at one seed"
    assert [model["id"] for model in bench.http.get(f"{bench.url}/v1/models").json()["data"]] == ["m"]


def test_of_runs_that_share_a_name_those_are_asked_that_the_caller_may_use(bench: Bench) -> None:
    other = bench.upstream()
    shared = [
        {**bench.service("run", auth=True), "weight": 1000},
        {**bench.service("another", auth=True, url=other.url), "weight": 1},
    ]
    bench.register(*shared, keys=(ONE_RUN,))
    for _ in range(5):
        assert ask(bench, "/v1/chat/completions", key="one").status_code == 200
    assert (len(bench.tgi.generated), len(other.generated)) == (0, 5)


NONE = {"run": "open", "url": "http://127.0.0.1:9", "auth": False}


def ask(
    bench: Bench, path: str, *, model: str = "m", key: str | None = None, host: str = "localhost"
) -> httpx.Response:
    headers = {"host": host, **({"authorization": f"Bearer {secret(key)}"} if key else {})}
    if path.startswith("/v1/chat"):
        body = {"model": model, "messages": [{"role": "user", "content": "Hi"}]}
        return bench.http.post(bench.url + path, json=body, headers=headers)
    return bench.http.get(bench.url + path, headers=headers)


def told(response: httpx.Response, name: str) -> tuple[int, str, list[tuple[str, str]]]:
    """All of an answer but the request's id, and with the name that was asked for left out."""
    headers = [(key, value) for key, value in response.headers.items() if key not in ("x-request-id", "date")]
    return response.status_code, response.text.replace(name, "NAME"), headers


@pytest.mark.parametrize("key", [None, "nobody", "one"])
@pytest.mark.parametrize("others", [(), (NONE,)], ids=["all are closed", "one is open"])
def test_a_name_that_the_caller_may_not_use_is_answered_as_one_that_is_not_there(
    bench: Bench, key: str | None, others: tuple[dict[str, Any], ...]
) -> None:
    bench.serve(domain="example.com")
    bench.register(bench.service("run-a", auth=True, model="model-a"), *others, keys=(ONE_RUN,))
    for path, model, host in (
        ("/services/run-{}/x", "", "localhost"),
        ("/x", "", "run-{}.example.com"),
        ("/v1/models/model-{}", "", "localhost"),
        ("/v1/chat/completions", "model-{}", "localhost"),
    ):
        there, missing = (
            ask(bench, path.format(end), model=model.format(end), key=key, host=host.format(end)) for end in "ab"
        )
        assert told(there, "-a") == told(missing, "-b")
        assert there.status_code == (404 if key == "one" else 401)


def test_where_every_run_is_open_what_is_not_there_is_404(bench: Bench) -> None:
    bench.register(bench.service())
    for path in ("/services/lacks/x", "/v1/models/none"):
        assert ask(bench, path).status_code == 404
    assert ask(bench, "/v1/chat/completions", model="none").json()["error"]["code"] == "model_not_found"


class Looked:
    """A registry that notes how often it is read anew."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self.looks = 0
        self.counters = MemoryCounters()

    async def table(self) -> Table:
        return self._table

    async def refreshed(self) -> Table:
        self.looks += 1
        return self._table


@pytest.mark.parametrize("key", [None, "nobody", "one"])
@pytest.mark.parametrize("name", ["there", "lacks"])
def test_the_registry_is_read_again_before_a_refusal_whether_the_name_is_there_or_not(
    key: str | None, name: str
) -> None:
    registry = Looked(Table(Registry(services=[service("there")], keys=[Key(**record("one", ["another"]))])))
    headers = [(b"authorization", f"Bearer {secret(key)}".encode())] if key else []
    scope = {"type": "http", "method": "GET", "path": "/", "headers": headers}

    async def ask() -> None:
        exchange = Exchange(scope, None, None)  # type: ignore[arg-type]
        await Admission(registry).admitted(exchange, await registry.table(), Table.runs, name, run_not_found)

    with pytest.raises(RequestError):
        asyncio.run(ask())
    assert registry.looks == 1
