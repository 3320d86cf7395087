"""Fixtures of the tests with clients: a gateway before scripted replicas, and programs in the clients' environments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.program import Program
from tests.clients.replica import FAILURES, RECORDS, answers
from tests.gateway.conftest import bench, loop
from tests.gateway.keys import ALL
from tests.gateway.serving import Bench
from tests.support.requirements import require

__all__ = ["bench", "loop"]

INSTALLING = 600
"""Seconds for a test: the first one of a client installs it."""

Programs = Callable[..., Program]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker runs all tests of a client, and so installs it without waiting for the other."""
    for item in items:
        if "program" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(INSTALLING))
            if item.get_closest_marker("xdist_group") is None:
                item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture
def program(pytestconfig: pytest.Config, tmp_path: Path) -> Programs:
    """Return the program of a client, installed: `program("ai-sdk")`. `of` names a client whose program it shares."""

    def make(client: str, of: str | None = None) -> Program:
        capture = pytestconfig.pluginmanager.getplugin("capturemanager")
        assert capture is not None
        with capture.global_and_fixture_disabled():  # pip and npm take a while, and it is said
            require(client)
        return Program(client, of or client, tmp_path)

    return make


@pytest.fixture
def served(bench: Bench) -> Bench:
    """A gateway. One replica plays the models of `replica.RECORDS`, which are open runs.

    Other replicas fail, each in its way. The replica of `gone` does not exist, and `closed` needs the key `ALL`.
    """
    services = [bench.service(name, model=name, **fields) for name, fields in RECORDS.items()]
    bench.tgi.usual = answers()
    for name, failure in FAILURES.items():
        replica = bench.upstream()
        replica.usual = failure
        services.append(bench.service(name, model=name, url=replica.url))
    services.append(bench.service("gone", model="gone", url=bench.nobody()))
    services.append(bench.service("closed", auth=True, model="closed"))
    bench.register(*services, keys=(ALL,))
    return bench
