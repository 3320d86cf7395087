"""One cloud for all tests of this folder, with a gateway in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud.whole.running_cloud import DOMAIN, RunningCloud
from tests.support.requirements import require


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker has all of these tests: a cloud takes gigabytes."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.cloud)
            item.add_marker(pytest.mark.xdist_group("cloud"))
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    """The cloud."""
    for name in ("linux", "machines", "provider-aws"):
        require(name)
    running = RunningCloud(tmp_path_factory.mktemp("cloud"))
    yield running
    running.close()


@pytest.fixture(scope="session")
def gateway(cloud: RunningCloud) -> str:
    """The name of the stack of a gateway that is deployed."""
    cloud.deploy("gateway", "examples/gateway.dstack.yml", f"domain {DOMAIN}", "protect false")
    return "gateway"
