"""Which target gets a request, and what becomes of one that is unhealthy or is deregistered."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler

import httpx
import pytest

from tests.cloud.load_balancer.played import GROUP, Played, group, played, said, target
from tests.support.ports import held_port

HOST = {"Host": "run.internal"}


class Busy:
    """A target that says which it is, and holds requests for `/held` until it is let go."""

    def __init__(self) -> None:
        self.health = 200
        self.port = 0
        self.begun = threading.Semaphore(0)
        self.go = threading.Event()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/held":
            self.begun.release()
            assert self.go.wait(100)
        said(handler, str(self.port))


@contextmanager
def busy(many: int) -> Generator[list[Busy]]:
    """Targets."""
    with ExitStack() as stack:
        all = [Busy() for _ in range(many)]
        for one in all:
            one.port = stack.enter_context(target(one.answer, health=lambda one=one: one.health))
        yield all


def ask(one: Played, path: str = "/") -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{one.port}{path}", headers=HOST, timeout=100)


def test_the_target_with_the_fewest_open_requests_gets_the_next() -> None:
    with busy(2) as (first, second), played(group(first.port, second.port)) as one, ThreadPoolExecutor() as threads:
        one.until(**{f"i_{first.port}": "healthy", f"i_{second.port}": "healthy"})
        held: list[Future[httpx.Response]] = []
        for _ in range(2):
            held.append(threads.submit(ask, one, "/held"))
            one.wait_for(lambda: sum(one.outstanding()) == len(held))
        spread = one.outstanding()
        first.go.set()
        second.go.set()
        answered = {each.result().text for each in held}
    assert (spread, answered) == ([1, 1], {str(first.port), str(second.port)})


def test_requests_go_round_with_round_robin() -> None:
    with busy(3) as all, played(group(*(one.port for one in all), algorithm="round_robin")) as one:
        one.until(**{f"i_{each.port}": "healthy" for each in all})
        got = Counter(ask(one).text for _ in range(9))
    assert got == {str(each.port): 3 for each in all}


def test_an_unhealthy_target_gets_nothing_until_it_is_healthy_again() -> None:
    with busy(2) as (first, second), played(group(first.port, second.port)) as one:
        one.until(**{f"i_{first.port}": "healthy", f"i_{second.port}": "healthy"})
        first.health = 503
        one.until(**{f"i_{first.port}": "unhealthy", f"i_{second.port}": "healthy"})
        report = one.report()
        only = {ask(one).text for _ in range(6)}
        first.health = 200
        one.until(**{f"i_{first.port}": "healthy", f"i_{second.port}": "healthy"})
        both = {ask(one).text for _ in range(6)}
    reason = {"reason": "Target.ResponseCodeMismatch", "description": "Health checks failed with these codes: [503]"}
    assert report == {
        "target_group": GROUP,
        "targets": [
            {"id": f"i-{first.port}", "port": first.port, "state": "unhealthy", **reason},
            {"id": f"i-{second.port}", "port": second.port, "state": "healthy", "reason": None, "description": None},
        ],
    }
    assert (only, both) == ({str(second.port)}, {str(first.port), str(second.port)})


def test_all_are_tried_while_none_is_healthy() -> None:
    with busy(2) as (first, second):
        first.health = second.health = 500
        with played(group(first.port, second.port)) as one:
            one.until(**{f"i_{first.port}": "unhealthy", f"i_{second.port}": "unhealthy"})
            got = {ask(one).text for _ in range(6)}
    assert got == {str(first.port), str(second.port)}


@pytest.mark.parametrize("draining", [False, True])
def test_without_a_registered_target_the_answer_is_503(draining: bool) -> None:
    with busy(1) as (first,), played(group(*([first.port] if draining else []), draining=[first.port])) as one:
        got = ask(one)
    assert (got.status_code, got.reason_phrase, got.headers["server"], got.text) == (
        503,
        "Service Temporarily Unavailable",
        "awselb/2.0",
        "<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head>\r\n<body>\r\n"
        "<center><h1>503 Service Temporarily Unavailable</h1></center>\r\n</body>\r\n</html>\r\n",
    )


def test_a_deregistered_target_ends_its_requests_and_gets_no_new_ones() -> None:
    with busy(2) as (first, second), played(group(first.port)) as one, ThreadPoolExecutor() as threads:
        one.until(**{f"i_{first.port}": "healthy"})
        held = threads.submit(ask, one, "/held")
        assert first.begun.acquire(timeout=100)
        one.update(group(first.port, second.port, draining=[first.port]))
        one.until(**{f"i_{first.port}": "draining", f"i_{second.port}": "healthy"})
        new = {ask(one).text for _ in range(4)}
        one.call(lambda: one.playing.drain(1))
        before = one.report()["targets"][0]
        first.go.set()
        answered = held.result().text
        one.call(lambda: one.playing.drain(1))
        after = one.report()["targets"][0]
    assert (new, answered) == ({str(second.port)}, str(first.port))
    assert before == {
        "id": f"i-{first.port}",
        "port": first.port,
        "state": "draining",
        "reason": "Target.DeregistrationInProgress",
        "description": "Target deregistration is in progress",
    }
    assert (after["state"], after["reason"]) == ("unused", "Target.NotRegistered")


def test_the_deregistration_delay_cuts_what_is_still_open() -> None:
    with busy(1) as (first,), played(group(first.port)) as one, ThreadPoolExecutor() as threads:
        one.until(**{f"i_{first.port}": "healthy"})
        held = threads.submit(ask, one, "/held")
        assert first.begun.acquire(timeout=100)
        one.update(group(first.port, draining=[first.port]))
        one.call(lambda: one.playing.drain(1))
        still_open = not held.done() and one.states() == {f"i-{first.port}": "draining"}
        one.call(lambda: one.playing.drain(1e12))  # so fast that 900 seconds are over
        with pytest.raises(httpx.RemoteProtocolError):
            held.result()
        states = one.states()
        first.go.set()
    assert (still_open, states) == (True, {f"i-{first.port}": "unused"})


def test_a_target_that_comes_back_is_checked_anew() -> None:
    with busy(1) as (first,), played(group(first.port)) as one:
        one.until(**{f"i_{first.port}": "healthy"})
        one.update(group(first.port, draining=[first.port]))
        one.call(lambda: one.playing.drain(1))
        gone = one.states()
        first.health = 500
        one.update(group(first.port))
        one.until(**{f"i_{first.port}": "unhealthy"})
    assert gone == {f"i-{first.port}": "unused"}


def test_targets_of_a_group_that_no_rule_uses_are_unused() -> None:
    with busy(1) as (first,), played(group(first.port)) as one:
        one.until(**{f"i_{first.port}": "healthy"})
        one.update()
        left = one.playing.left
        got = ask(one)
    unused = {
        "state": "unused",
        "reason": "Target.NotInUse",
        "description": "Target group is not configured to receive traffic from the load balancer",
    }
    assert left == [{"target_group": GROUP, "targets": [{"id": f"i-{first.port}", "port": first.port, **unused}]}]
    assert got.status_code == 503


def test_nobody_listens_at_the_port_of_a_target() -> None:
    with held_port() as port, played(group(port)) as one:
        one.until(**{f"i_{port}": "unhealthy"})
        reason = one.report()["targets"][0]["reason"]
        got = ask(one)
    assert (reason, got.status_code, got.reason_phrase) == ("Target.FailedHealthChecks", 502, "Bad Gateway")
