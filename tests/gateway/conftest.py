"""Fixtures of the gateway's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

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
def bench(loop: Loop, tmp_path: Path) -> Iterator[Bench]:
    """A gateway that starts at its first use, with one open run `run`, whose model is `m`, on a scripted TGI."""
    bench = Bench(loop, tmp_path)
    yield bench
    bench.close()
