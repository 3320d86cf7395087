from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.machines.docker_host import DockerHost
from tests.cloud.machines.models import Models
from tests.cloud.machines.world import Cloud, World
from tests.support.requirements import require


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    require("machines")
    made = Cloud(tmp_path_factory.mktemp("cloud"))
    yield made
    made.close()


@pytest.fixture
def world(cloud: Cloud) -> Iterator[World]:
    """A service of one test, in the cloud of all tests."""
    made = World(cloud)
    yield made
    made.close()


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the shared models, which are loaded once."""
    require("machines")
    made = Models(tmp_path_factory.mktemp("models"))
    yield made.folder
    made.close()


@pytest.fixture
def docker(tmp_path: Path) -> Iterator[Callable[..., DockerHost]]:
    """A function that makes a machine with nothing but docker."""
    require("machines")
    hosts: list[DockerHost] = []

    def made(models: Path | None = None, **more: Any) -> DockerHost:
        hosts.append(DockerHost(tmp_path, models or tmp_path, **more))
        return hosts[-1]

    yield made
    for one in hosts:
        one.close()
