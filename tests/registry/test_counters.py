"""Counters in memory and in a table count alike."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from fractions import Fraction

import pytest

from gateway_lambda.registry.counters import (
    DAY,
    SECOND,
    Counted,
    Counters,
    Entry,
    Limits,
    MemoryCounters,
    Verdict,
    per_minute,
    per_second,
)
from gateway_lambda.registry.table_client import TableClient
from gateway_lambda.registry.table_counters import TableCounters
from tests.registry.emulator import TABLE, Account

pytestmark = [pytest.mark.xdist_group("emulator"), pytest.mark.usefixtures("patient")]

NOON = 20_000 * DAY + DAY // 2
"""A time in nanoseconds since 1970."""


class Told:
    """Counters, asked one after the other, at times that a test says."""

    def __init__(self, instances: list[Counters]) -> None:
        self._runner = asyncio.Runner()
        self._instances = instances
        self._entries: dict[str, Entry] = {}
        self.now = NOON

    def begin(self, limits: Limits, request: str = "r", counter: str = "key#alice") -> Verdict | None:
        """Each request comes to another instance."""
        entry = self._entries[request] = Entry(counter, limits, request, self.now)
        return self._runner.run(self._instance(request).begin(entry))

    def end(self, request: str, tokens: int = 0) -> None:
        self._runner.run(self._instance(request).end(self._entries[request], tokens, self.now))

    def close(self) -> None:
        async def end() -> None:
            for instance in self._instances:
                instance.close()
            await asyncio.sleep(0)

        self._runner.run(end())
        self._runner.close()

    def _instance(self, request: str) -> Counters:
        return self._instances[sum(map(ord, request)) % len(self._instances)]


@pytest.fixture(params=["memory", "table"])
def told(request: pytest.FixtureRequest) -> Iterator[Told]:
    if request.param == "memory":
        counters: list[Counters] = [MemoryCounters()]
    else:
        account: Account = request.getfixturevalue("account")
        counters = [TableCounters(TableClient(TABLE, account.environment())) for _ in range(3)]
    told = Told(counters)
    yield told
    told.close()


def passed(until: int = 0, tokens: int = 0, running: int = 0) -> Verdict:
    return Verdict(None, Counted(until, tokens, running))


def test_a_minutes_requests_can_come_at_once_and_each_is_given_back_after_its_part_of_the_minute(told: Told) -> None:
    limits = Limits(per_minute(3))
    verdicts = [told.begin(limits, request) for request in "abcd"]
    full = Counted(NOON + 60 * SECOND)
    assert verdicts == [*(passed(NOON + 20 * SECOND * count) for count in (1, 2, 3)), Verdict("rate", full)]
    told.now = NOON + 20 * SECOND - 1
    assert told.begin(limits, "e") == Verdict("rate", full)
    told.now = NOON + 20 * SECOND
    assert told.begin(limits, "f") == passed(NOON + 80 * SECOND)
    told.now = NOON + DAY
    assert told.begin(limits, "g") == passed(NOON + DAY + 20 * SECOND)


def test_a_request_passes_while_the_tokens_of_the_day_are_below_the_limit(told: Told) -> None:
    limits = Limits(tokens_per_day=100)
    assert told.begin(limits, "a") == passed()
    told.end("a", 99)
    assert [told.begin(limits, request) for request in "bc"] == [passed(tokens=99)] * 2
    told.end("b", 30)
    told.end("c", 3)
    assert told.begin(limits, "d") == Verdict("tokens", Counted(tokens=132))


def test_the_day_ends_at_midnight_in_utc_and_tokens_count_for_the_day_of_their_end(told: Told) -> None:
    limits = Limits(tokens_per_day=100)
    told.now = 20_001 * DAY - 1
    assert [told.begin(limits, request) for request in "abc"] == [passed()] * 3
    told.end("a", 100)
    assert told.begin(limits, "d") == Verdict("tokens", Counted(tokens=100))
    told.now += 1
    told.end("b", 7)
    assert told.begin(limits, "e") == passed(tokens=7)
    told.end("c", 93)
    assert told.begin(limits, "f") == Verdict("tokens", Counted(tokens=100))
    told.now += 2 * DAY
    assert told.begin(limits, "g") == passed()


def test_so_many_requests_run_at_once_and_an_end_makes_room(told: Told) -> None:
    limits = Limits(max_concurrent=2)
    verdicts = [told.begin(limits, request) for request in "abc"]
    assert verdicts == [passed(running=1), passed(running=2), Verdict("concurrent", Counted(running=2))]
    told.end("b")
    told.end("b")
    assert told.begin(limits, "d") == passed(running=2)
    assert told.begin(limits, "e") == Verdict("concurrent", Counted(running=2))


def test_a_request_that_one_limit_refuses_counts_for_no_other_limit(told: Told) -> None:
    limits = Limits(per_minute(60), 100, 2)
    assert told.begin(limits, "a") == passed(NOON + SECOND, running=1)
    assert told.begin(limits, "b") == passed(NOON + 2 * SECOND, running=2)
    two = Counted(NOON + 2 * SECOND, 0, 2)
    assert [told.begin(limits, request) for request in "cd"] == [Verdict("concurrent", two)] * 2
    told.end("a", 100)
    assert told.begin(limits, "e") == Verdict("tokens", Counted(NOON + 2 * SECOND, 100, 1))
    assert told.begin(limits, "f", "key#bob") == passed(NOON + SECOND, running=1)


def test_a_rate_counts_as_nginx_does(told: Told) -> None:
    """`limit_req` of nginx, in fractions: each request adds one, each second takes `rps` away."""
    chance = random.Random(7)
    rps, burst = Fraction(2), 3
    limits = Limits(per_second(2, burst))
    excess, since = Fraction(-1), NOON
    for number in range(120):
        told.now += chance.choice((0, 0, SECOND // 4, SECOND // 2, SECOND, 5 * SECOND))
        now_excess = max(Fraction(0), excess - Fraction(told.now - since, SECOND) * rps + 1)
        verdict = told.begin(limits, f"r{number}")
        assert verdict is not None
        assert (verdict.refused is None) == (now_excess <= burst)
        if verdict.refused is None:
            excess, since = now_excess, told.now


def test_memory_and_table_say_the_same_to_five_hundred_requests_of_any_kind(account: Account) -> None:
    tables: list[Counters] = [TableCounters(TableClient(TABLE, account.environment())) for _ in range(4)]
    sides = Told([MemoryCounters()]), Told(tables)
    chance = random.Random(11)
    running: list[str] = []
    kinds = (Limits(per_minute(4), 400, 3), Limits(per_minute(4)), Limits(None, 400), Limits(None, None, 3))
    refused: list[str | None] = []
    for number in range(500):
        step = chance.choice((0, 0, SECOND // 3, 3 * SECOND) * 8 + (chance.randrange(DAY // 4),))
        for side in sides:
            side.now += step
        if running and chance.random() < 0.45:
            ended, tokens = running.pop(chance.randrange(len(running))), chance.choice((0, 10, 80))
            for side in sides:
                side.end(ended, tokens)
        else:
            kind = chance.randrange(len(kinds))
            one, other = (side.begin(kinds[kind], f"r{number}", f"c{kind}") for side in sides)
            assert one is not None
            assert other is not None
            # An instance of the function knows of a refusal only what it has seen itself.
            assert one == other if one.refused is None else other.refused is not None
            refused.append(one.refused)
            # A request of the table ends after 16 minutes at the latest; one in memory only at its end.
            if one.refused is None and kinds[kind].max_concurrent is None:
                running.append(f"r{number}")
            elif one.refused is None:
                for side in sides:
                    side.end(f"r{number}", 50)
    for side in sides:
        side.close()
    assert {reason: refused.count(reason) > 5 for reason in (None, "rate", "tokens")} == {
        None: True,
        "rate": True,
        "tokens": True,
    }


@pytest.mark.parametrize(
    ("made", "each", "ahead"),
    [
        (lambda: per_minute(1), 60 * SECOND, 0),
        (lambda: per_minute(7), 8_571_428_571, 6 * 8_571_428_571),
        (lambda: per_minute(2**53), 1, 2**53 - 1),
        (lambda: per_second(1 / 60, 0), 60 * SECOND, 0),
        (lambda: per_second(2.5, 4), 400_000_000, 1_600_000_000),
        (lambda: per_second(1e18, 5), 1, 5),
        (lambda: per_second(1e-6, 10**30), 10**15, 36_500 * DAY),
    ],
)
def test_a_rate_is_whole_nanoseconds_that_fit_into_64_bits(
    made: Callable[[], tuple[int, int]], each: int, ahead: int
) -> None:
    assert made() == (each, ahead)
    assert NOON + each + ahead < 2**63


def test_memory_forgets_clients_with_nothing_against_them_and_no_key() -> None:
    told = Told([MemoryCounters()])
    told.begin(Limits(tokens_per_day=100), "key", "key#alice")
    told.end("key", 100)
    told.begin(Limits(max_concurrent=1), "runs", "key#bob")
    told.begin(Limits(per_minute(1)), "first", "key#carol")
    busy, idle = Limits(per_second(1, 0)), Limits(per_second(1000, 0))
    told.begin(busy, "busy", "busy")
    for number in range(9_996):
        told.begin(idle, "x", f"client {number}")
    told.now += SECOND // 2
    told.begin(idle, "x", "another")
    assert told.begin(busy, "y", "busy") == Verdict("rate", Counted(NOON + SECOND))
    for number in range(10_000):
        told.begin(busy, "x", f"client {number}")
    assert told.begin(Limits(tokens_per_day=100), "z", "key#alice") == Verdict("tokens", Counted(tokens=100))
    assert told.begin(Limits(max_concurrent=1), "z", "key#bob") == Verdict("concurrent", Counted(running=1))
    assert told.begin(Limits(per_minute(1)), "z", "key#carol") == Verdict("rate", Counted(NOON + 60 * SECOND))
    told.close()
