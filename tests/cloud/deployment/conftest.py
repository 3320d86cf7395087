"""A control plane and HashiCorp's provider for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud.deployment.terraform.client import Provider
from tests.cloud.control_plane.conftest import Running, end, start
from tests.support.aws_provider import on_one_worker, provider_alone
from tests.support.requirements import require


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    on_one_worker(items, Path(__file__).parent)


@pytest.fixture(scope="session")
def terraform() -> Iterator[Provider]:
    with provider_alone() as running:
        yield running


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A control plane whose instances boot and end by themselves."""
    require("provider-aws")
    folder = tmp_path_factory.mktemp("control_plane")
    running = start(folder, "--zone", "models.localhost", "--speed", "60", "--by-themselves")
    yield running
    end(running)
