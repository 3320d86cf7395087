"""The limits of keys, and what clients see of them."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from typing import Any

import httpx
import openai
import pytest

from gateway_lambda.errors import GatewayError
from gateway_lambda.registry.counters import DAY, SECOND, Entry, MemoryCounters, Verdict
from gateway_lambda.registry.record import Key
from gateway_lambda.routing.key_limits import KeyLimits
from gateway_lambda.server.recorded import Usage
from tests.gateway.keys import ALL, record, secret
from tests.gateway.scripted_tgi import answer, events, failure, reply, stream
from tests.gateway.serving import HI, Bench
from tests.gateway.test_openai_format import COMPLETION
from tests.support.processes import wait_until

THREE = {**record("three"), "requests_per_minute": 3}
EVENING = 20_000 * DAY + 20 * 3600 * SECOND + 59 * 60 * SECOND + SECOND // 2
"""A time in nanoseconds since 1970, three hours and a minute before midnight."""
CHAT = "/v1/chat/completions"
LATER = 4_000_000_000
"""In seconds since 1970."""


class Exchange:
    """What limits see of a request, and what they leave there."""

    def __init__(self) -> None:
        self.request_id = b"req_" + os.urandom(8).hex().encode()
        self.limits: tuple[tuple[bytes, bytes], ...] = ()
        self.listeners: Any = ()
        self.usage: Usage | None = None
        self.counts_tokens = False


class Asking:
    """Limits in memory, at a time that the test says."""

    def __init__(self, **limits: Any) -> None:
        self.now = EVENING
        self._key = Key(name="three", sha256="a" * 64, **limits)
        self._limits = KeyLimits(MemoryCounters(), lambda: self.now)

    def begin(self, name: str = "three") -> tuple[Exchange, str, dict[str, str]]:
        """The request, what it gets, and the headers about limits in its answer."""
        exchange = Exchange()
        said = "passes"
        key = Key(**{field: getattr(self._key, field) for field in Key.__struct_fields__} | {"name": name})
        try:
            asyncio.run(self._limits.begin(exchange, key))  # type: ignore[arg-type]
        except GatewayError as error:
            said = f"{error.status} {error.code} {dict(error.headers)[b'retry-after'].decode()}"
        return exchange, said, {name.decode()[12:]: value.decode() for name, value in exchange.limits}

    def end(self, exchange: Exchange, usage: Usage | None) -> None:
        exchange.usage = usage
        for listener in exchange.listeners:
            asyncio.run(listener(exchange))


def requests(limit: int, remaining: int, reset: str) -> dict[str, str]:
    return {"limit-requests": str(limit), "remaining-requests": str(remaining), "reset-requests": reset}


def tokens(limit: int, remaining: int, reset: str) -> dict[str, str]:
    return {"limit-tokens": str(limit), "remaining-tokens": str(remaining), "reset-tokens": reset}


def test_a_minute_s_requests_may_come_at_once_and_each_is_given_back_after_its_part_of_the_minute() -> None:
    asking = Asking(requests_per_minute=3)
    assert [asking.begin()[1:] for _ in range(4)] == [
        ("passes", requests(3, 2, "20s")),
        ("passes", requests(3, 1, "40s")),
        ("passes", requests(3, 0, "1m0s")),
        ("429 rate_limit_exceeded 20", requests(3, 0, "1m0s")),
    ]
    asking.now += 19 * SECOND + 1
    assert asking.begin()[1:] == ("429 rate_limit_exceeded 1", requests(3, 0, "41s"))
    asking.now += SECOND - 1
    assert [asking.begin()[1] for _ in range(2)] == ["passes", "429 rate_limit_exceeded 20"]
    asking.now += 3600 * SECOND
    assert [asking.begin()[1:] for _ in range(4)][2:] == [
        ("passes", requests(3, 0, "1m0s")),
        ("429 rate_limit_exceeded 20", requests(3, 0, "1m0s")),
    ]


def test_a_day_s_tokens_are_those_of_prompts_and_answers_and_come_back_at_midnight_in_utc() -> None:
    asking = Asking(tokens_per_day=100)
    first, *seen = asking.begin()
    assert seen == ["passes", tokens(100, 100, "3h1m0s")]
    asking.end(first, Usage(70, 29))
    unknown, *seen = asking.begin()
    assert seen == ["passes", tokens(100, 1, "3h1m0s")]
    asking.end(unknown, None)
    partly, *_ = asking.begin()
    asking.end(partly, Usage(None, 5))
    refused, *seen = asking.begin()
    assert seen == ["429 insufficient_quota 10860", tokens(100, 0, "3h1m0s")]
    assert refused.listeners == ()
    asking.now += 3 * 3600 * SECOND
    assert asking.begin()[1:] == ("429 insufficient_quota 60", tokens(100, 0, "1m0s"))
    asking.now += 60 * SECOND
    assert asking.begin()[1:] == ("passes", tokens(100, 100, "24h0m0s"))


def test_the_keys_of_one_person_count_together() -> None:
    asking = Asking(requests_per_minute=3, max_concurrent=2)
    assert [asking.begin(name)[1] for name in ("alice", "alice@2", "bob", "alice")] == [
        "passes",
        "passes",
        "passes",
        "429 rate_limit_exceeded 1",
    ]


def test_where_nothing_can_be_counted_a_request_passes_and_its_end_is_counted_all_the_same() -> None:
    class Failing(MemoryCounters):
        async def begin(self, entry: Entry) -> Verdict | None:  # type: ignore[override]
            return None

        async def end(self, entry: Entry, tokens: int, now: int) -> None:
            ended.append((entry.counter, tokens))

    ended: list[tuple[str, int]] = []
    exchange, key = Exchange(), Key(name="a", sha256="a" * 64, max_concurrent=1, tokens_per_day=5)
    asyncio.run(KeyLimits(Failing()).begin(exchange, key))  # type: ignore[arg-type]
    assert exchange.limits == ()
    exchange.usage = Usage(3, 4)
    (listener,) = exchange.listeners
    asyncio.run(listener(exchange))
    assert ended == [("key#a", 7)]


class Caller:
    """A caller with one key."""

    def __init__(self, bench: Bench, key: str = "three") -> None:
        self._bench = bench
        self.headers = {"authorization": f"Bearer {secret(key)}"}

    def ask(self, path: str = CHAT, **more: Any) -> httpx.Response:
        body = {"model": "m", "messages": HI, **more}
        return self._bench.http.post(self._bench.url + path, json=body, headers=self.headers)

    def send(self, body: bytes, path: str = CHAT) -> httpx.Response:
        return self._bench.http.post(self._bench.url + path, content=body, headers=self.headers)

    def get(self, path: str) -> httpx.Response:
        return self._bench.http.get(self._bench.url + path, headers=self.headers)


def limit_headers(response: httpx.Response) -> dict[str, str]:
    names = ("retry-after", "x-should-retry")
    kept = {name: value for name, value in response.headers.items() if "ratelimit" in name or name in names}
    return {name.removeprefix("x-ratelimit-"): value for name, value in kept.items()}


@pytest.mark.usefixtures("moment")
def test_a_key_above_its_limit_is_refused_and_others_are_not(bench: Bench) -> None:
    bench.register(bench.service(auth=True), keys=(ALL, THREE))
    caller = Caller(bench)
    served = [caller.ask() for _ in range(3)]
    assert [(one.status_code, one.headers["x-ratelimit-remaining-requests"]) for one in served] == [
        (200, "2"),
        (200, "1"),
        (200, "0"),
    ]
    assert served[0].headers["x-ratelimit-limit-requests"] == "3"
    refused = caller.ask()
    assert refused.status_code == 429
    wait = refused.headers["retry-after"]
    assert wait == "20"
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert refused.json()["error"] == {
        "message": f"this API key may make 3 requests a minute; wait {wait} s",
        "type": "rate_limit_error",
        "param": None,
        "code": "rate_limit_exceeded",
    }
    assert len(bench.tgi.generated) == 3
    other = Caller(bench, "all").ask()
    assert (other.status_code, limit_headers(other)) == (200, {})
    with bench.client(api_key=secret("three")) as client, pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model="m", messages=HI)  # type: ignore[arg-type]


@pytest.mark.usefixtures("moment")
def test_anthropic_s_routes_refuse_in_anthropic_s_form(bench: Bench) -> None:
    bench.register(bench.service(auth=True), keys=({**record("one"), "max_concurrent": 1, "tokens_per_day": 1},))
    caller = Caller(bench, "one")
    assert caller.ask("/v1/messages", max_tokens=5).status_code == 200
    refused = caller.ask("/v1/messages", max_tokens=5)
    assert refused.json() == {
        "type": "error",
        "error": {
            "type": "rate_limit_error",
            "message": "this API key has used its 1 token of the day; it can be used again after midnight in UTC, in "
            f"{refused.headers['retry-after']} s",
            "code": "insufficient_quota",
        },
        "request_id": refused.headers["x-request-id"],
    }


@pytest.mark.usefixtures("moment")
def test_a_run_s_own_service_counts_too_and_an_open_one_does_not(bench: Bench) -> None:
    bench.register(bench.service(auth=True), bench.service("open", model=None), keys=({**THREE, "runs": ["run"]},))
    caller = Caller(bench)
    for path in ("/services/open/health", "/v1/models", "/v1/models/m", "/services/none/x"):
        answers = [caller.get(path) for _ in range(4)]
        assert not any("x-ratelimit-limit-requests" in answer.headers for answer in answers)
    answers = [caller.get("/services/run/health") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining-requests"] for answer in answers] == ["2", "1", "0", "0"]


@pytest.mark.usefixtures("moment")
def test_what_a_run_says_of_its_own_limits_gives_way_to_those_of_the_key(bench: Bench) -> None:
    bench.register(bench.service(auth=True), keys=(ALL, THREE))
    own = {"X-RateLimit-Limit-Requests": "9", "x-ratelimit-limit-tokens": "8", "x-other": "7"}
    bench.tgi.replies += [reply(200, "x", **own)] * 2
    free, limited = (Caller(bench, key).ask("/services/run/generate") for key in ("all", "three"))
    assert limit_headers(free) == {"limit-requests": "9", "limit-tokens": "8"}
    assert limit_headers(limited) == {"limit-requests": "3", "remaining-requests": "2", "reset-requests": "20s"}
    assert limited.headers["x-other"] == "7"


def test_a_stream_says_what_is_left_too(bench: Bench) -> None:
    bench.register(bench.service(auth=True), keys=(THREE,))
    answer = Caller(bench).ask(stream=True)
    assert (answer.status_code, answer.headers["x-ratelimit-remaining-requests"]) == (200, "2")


@pytest.mark.usefixtures("moment")
@pytest.mark.parametrize("streamed", [False, True])
def test_tokens_of_whole_and_streamed_answers_count_and_clients_do_not_try_again(bench: Bench, streamed: bool) -> None:
    bench.tgi.usual = answer("a", "b", "</s>*", prompt_tokens=7)
    bench.register(bench.service(auth=True), keys=({**record("three"), "tokens_per_day": 20},))
    caller = Caller(bench)
    left = [caller.ask(stream=streamed).headers["x-ratelimit-remaining-tokens"] for _ in range(2)]
    assert left == ["20", "10"]
    with bench.client(api_key=secret("three"), max_retries=2) as client, pytest.raises(openai.RateLimitError) as told:
        client.chat.completions.create(model="m", messages=HI)  # type: ignore[arg-type]
    assert (told.value.code, told.value.type) == ("insufficient_quota", "insufficient_quota")
    wait = told.value.response.headers["retry-after"]
    assert told.value.body == {
        "message": "this API key has used its 20 tokens of the day; it can be used again after midnight in UTC, in "
        f"{wait} s",
        "type": "insufficient_quota",
        "param": None,
        "code": "insufficient_quota",
    }
    assert limit_headers(told.value.response) == {
        "limit-tokens": "20",
        "remaining-tokens": "0",
        "reset-tokens": told.value.response.headers["x-ratelimit-reset-tokens"],
        "retry-after": wait,
        "x-should-retry": "false",
    }
    assert "x-stainless-retry-count" not in told.value.response.headers
    assert told.value.request.headers["x-stainless-retry-count"] == "0"
    assert len(bench.tgi.generated) == 2


@pytest.mark.usefixtures("moment")
def test_tokens_of_a_model_behind_openai_s_api_count(bench: Bench) -> None:
    upstream = bench.upstream()
    upstream.usual = reply(200, json.dumps({**COMPLETION, "usage": {"prompt_tokens": 40, "completion_tokens": 2}}))
    bench.register(
        bench.service("o", auth=True, format="openai", url=upstream.url),
        keys=({**record("three"), "tokens_per_day": 50},),
    )
    caller = Caller(bench)
    assert [caller.ask().headers["x-ratelimit-remaining-tokens"] for _ in range(2)] == ["50", "8"]
    assert caller.ask().status_code == 429


def test_so_many_requests_run_at_once_and_each_way_to_end_makes_room(bench: Bench) -> None:
    bench.register(bench.service(auth=True), keys=({**record("three"), "max_concurrent": 1},))
    caller = Caller(bench)
    bench.serve()
    go = bench.loop.run(_event())
    bench.tgi.replies.append(stream(events("a", finish=None)[0], go.wait(), *events("b", "</s>*")))
    body = {"model": "m", "messages": HI, "stream": True}
    with bench.http.stream("POST", bench.url + CHAT, json=body, headers=caller.headers) as running:
        pieces = running.iter_bytes()
        next(pieces)
        refused = caller.ask()
        assert (refused.status_code, limit_headers(refused)) == (429, {"retry-after": "1"})
        assert refused.json()["error"] == {
            "message": "this API key may have 1 request at once; wait until one ends",
            "type": "rate_limit_error",
            "param": None,
            "code": "rate_limit_exceeded",
        }
        bench.loop.call(go.set)
        assert b"".join(pieces).endswith(b"data: [DONE]\n\n")
    bench.tgi.replies += [failure(500, "no", "generation"), failure(422, "no", "validation")]
    ends = [caller.ask(), caller.ask(), caller.ask(temperature="hot"), caller.ask(model="none"), caller.ask()]
    assert [one.status_code for one in ends] == [500, 400, 400, 404, 200]


def test_a_client_that_leaves_makes_room(bench: Bench) -> None:
    bench.register(bench.service(auth=True), keys=({**record("three"), "max_concurrent": 1},))
    caller = Caller(bench)
    bench.serve()
    never = bench.loop.run(_event())
    bench.tgi.replies.append(stream(events("a", finish=None)[0], never.wait()))
    body = {"model": "m", "messages": HI, "stream": True}
    with bench.http.stream("POST", bench.url + CHAT, json=body, headers=caller.headers) as running:
        pieces = running.iter_bytes()
        next(pieces)
        assert caller.ask().status_code == 429
    wait_until(lambda: caller.ask().status_code == 200)
    bench.loop.call(never.set)


async def _event() -> asyncio.Event:
    return asyncio.Event()


def test_of_many_requests_at_once_exactly_the_limit_runs(bench: Bench) -> None:
    bench.register(bench.service(auth=True), keys=({**record("three"), "max_concurrent": 3},))
    caller = Caller(bench)
    bench.serve()
    go = bench.loop.run(_event())

    async def held(asked: Any, write: Any) -> None:
        await go.wait()
        await answer("a", "</s>*")(asked, write)

    bench.tgi.usual = held
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(caller.ask().status_code)) for _ in range(12)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(statuses) == 9)
    bench.loop.call(go.set)
    for thread in threads:
        thread.join(20)
    assert sorted(statuses) == [200] * 3 + [429] * 9


def test_a_key_that_has_expired_is_refused_and_says_so(bench: Bench) -> None:
    old, new = {**record("three"), "expires": 1_767_225_600}, {**record("all"), "expires": LATER}
    bench.register(bench.service(auth=True), keys=(old, new))
    assert Caller(bench, "all").ask().status_code == 200
    refused = Caller(bench).ask()
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert refused.json()["error"] == {
        "message": "the API key expired at 2026-01-01 00:00:00 UTC; ask the person who runs the gateway for a new one",
        "type": "invalid_request_error",
        "param": None,
        "code": "invalid_api_key",
    }
    for path in ("/v1/models", "/v1/models/m", "/services/run/health"):
        assert Caller(bench).get(path).json() == refused.json()
    with bench.client(api_key=secret("three")) as client, pytest.raises(openai.AuthenticationError, match="expired"):
        client.models.list()


def test_a_key_expires_at_its_second_and_an_open_run_takes_it_still(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.register(bench.service(auth=True), bench.service("open", model="n"), keys=({**THREE, "expires": LATER},))
    caller = Caller(bench)
    bench.serve()
    now = [LATER - 0.001]
    monkeypatch.setattr("gateway_lambda.routing.keys.time", _At(now))
    assert [caller.ask().status_code, caller.ask(model="n").status_code] == [200, 200]
    now[0] += 0.001
    assert [caller.ask().status_code, caller.ask(model="n").status_code] == [401, 200]


class _At:
    """The module `time` at another time."""

    def __init__(self, now: list[float]) -> None:
        self._now = now
        self.strftime, self.gmtime = time.strftime, time.gmtime

    def time(self) -> float:
        return self._now[0]
