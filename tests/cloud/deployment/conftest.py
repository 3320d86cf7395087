"""A control plane and HashiCorp's provider for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud.deployment.terraform import finding
from cloud.deployment.terraform.client import Provider, provider
from tests.cloud.control_plane.conftest import Running, end, start
from tests.support.requirements import require


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker has all of these tests, so that one provider runs at a time: it takes half a gigabyte."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("provider"))
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def terraform() -> Iterator[Provider]:
    """The provider alone, which asks nobody anything."""
    require("provider-aws")
    binary = finding.binary()
    assert binary is not None
    with provider(binary) as running:
        running.configure("us-east-1")
        yield running


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A control plane whose instances boot and end by themselves."""
    require("provider-aws")
    folder = tmp_path_factory.mktemp("control_plane")
    running = start(folder, "--zone", "models.localhost", "--speed", "60", "--by-themselves")
    yield running
    end(running)
