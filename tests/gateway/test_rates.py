"""A run's rate limits."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from gateway_lambda.errors import ServiceError
from gateway_lambda.registry.counters import SECOND, MemoryCounters
from gateway_lambda.registry.record import RateLimit
from gateway_lambda.routing.rate_limits import RateLimits
from gateway_lambda.server.exchange import Exchange
from tests.gateway.serving import Bench


class Clock:
    def __init__(self) -> None:
        self.now = 100 * SECOND

    def __call__(self) -> int:
        return self.now


def limited(bench: Bench, *limits: dict[str, object]) -> None:
    bench.register({**bench.service(), "rate_limits": list(limits)})


def statuses(bench: Bench, path: str, count: int, **headers: str) -> list[int]:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return [httpx.get(bench.url + path, headers=given).status_code for _ in range(count)]


def test_requests_above_the_limit_are_refused_with_the_time_to_wait(bench: Bench) -> None:
    limited(bench, {"prefix": "/slow", "rps": 0.01, "burst": 2})
    assert statuses(bench, "/services/run/slow/x", 4) == [200, 200, 200, 429]
    response = httpx.get(f"{bench.url}/services/run/%73low")
    assert (response.status_code, response.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert int(response.headers["retry-after"]) > 60
    assert statuses(bench, "/services/run/fast", 4) == [200] * 4


def test_the_longest_prefix_that_fits_holds(bench: Bench) -> None:
    limited(bench, {"prefix": "/", "rps": 0.01}, {"prefix": "/a/b", "rps": 0.01, "burst": 1})
    assert statuses(bench, "/services/run/a/b", 3) == [200, 200, 429]
    assert statuses(bench, "/services/run/a", 2) == [200, 429]


def test_clients_are_told_apart_by_address_or_by_a_header(bench: Bench) -> None:
    limited(bench, {"prefix": "/ip", "rps": 0.01}, {"prefix": "/key", "rps": 0.01, "header": "X-Client"})
    assert statuses(bench, "/services/run/ip", 1, x_forwarded_for="9.9.9.9, 10.0.0.1") == [200]
    assert statuses(bench, "/services/run/ip", 2, x_forwarded_for="1.1.1.1, 10.0.0.2") == [200, 429]
    assert statuses(bench, "/services/run/key", 2, x_client="a") == [200, 429]
    assert statuses(bench, "/services/run/key", 1, x_client="b") == [200]
    assert statuses(bench, "/services/run/key", 2) == [200, 200]


def test_what_a_caller_says_of_its_own_address_is_not_believed(bench: Bench) -> None:
    """Several lines of a header are one list, to whose end the proxy before the gateway adds the caller."""
    limited(bench, {"prefix": "/ip", "rps": 0.01})

    def ask(*lines: str) -> int:
        headers = [("x-forwarded-for", line) for line in lines]
        return httpx.get(f"{bench.url}/services/run/ip", headers=headers).status_code

    assert [ask("1.1.1.1", "10.0.0.1"), ask("2.2.2.2", "3.3.3.3, 10.0.0.1"), ask("10.0.0.1")] == [200, 429, 429]
    assert [ask("10.0.0.1", "10.0.0.2"), ask("10.0.0.2", ""), ask("")] == [200, 200, 429]


def test_the_openai_interface_counts_too(bench: Bench) -> None:
    limited(bench, {"prefix": "/v1/chat", "rps": 0.01})
    assert [bench.post().status_code, bench.post().status_code] == [200, 429]
    assert len(bench.tgi.generated) == 1


def test_what_was_counted_is_taken_off_with_time() -> None:
    clock = Clock()
    rates = RateLimits("run", [RateLimit(prefix="/", rps=2)], MemoryCounters(), clock)

    async def nothing(*_: object) -> None:
        raise NotImplementedError

    async def check() -> None:
        scope = {"method": "GET", "raw_path": b"/", "headers": [], "client": ("10.0.0.1", 5)}
        asked = Exchange(scope, nothing, nothing)  # type: ignore[arg-type]
        await rates.check(asked, b"/")
        with pytest.raises(ServiceError):
            await rates.check(asked, b"/")
        clock.now += SECOND // 2
        await rates.check(asked, b"/")
        clock.now += SECOND * 4 // 10
        with pytest.raises(ServiceError):
            await rates.check(asked, b"/")

    asyncio.run(check())


def test_a_limit_that_changed_counts_from_the_beginning(bench: Bench) -> None:
    limited(bench, {"prefix": "/", "rps": 0.0001})
    assert statuses(bench, "/services/run/x", 2) == [200, 429]
    limited(bench, {"prefix": "/", "rps": 0.0001, "burst": 2})
    assert statuses(bench, "/services/run/x", 4) == [200, 200, 200, 429]
