"""Fixtures of the gateway's tests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway_lambda.routing.key_limits import KeyLimits
from tests.gateway.serving import Bench, Clock, Loop


@pytest.fixture(scope="session")
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture
def clock(loop: Loop) -> Iterator[Clock]:
    """The clock of the gateway. It stands, unless the test lets time pass."""
    with loop.standing_clock() as clock:
        yield clock


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the limits of keys, all is at one moment. Neither a delay nor midnight gives anything back."""
    now = time.time_ns()
    monkeypatch.setattr(KeyLimits.__init__, "__defaults__", (lambda: now,))


@pytest.fixture
def bench(loop: Loop, tmp_path: Path) -> Iterator[Bench]:
    """A gateway that starts at its first use, with one open run `run`, whose model is `m`, on a scripted TGI."""
    bench = Bench(loop, tmp_path)
    yield bench
    bench.close()
