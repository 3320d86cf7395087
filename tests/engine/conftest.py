"""Tests of the real engine: marked `engine`, skipped with a reason where there is no pulumi command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.deployment import Deployment
from tests.support.requirements import require

Deploy = Callable[..., Deployment]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "engine: drives the real pulumi command, with plugins in front of a stand-in")


@pytest.fixture
def deploy(tmp_path: Path) -> Iterator[Deploy]:
    """Makes deployments of a project's folder, each with its own account and state; choices go to `Deployment`."""
    require("pulumi")
    made: list[Deployment] = []

    def deployment(source: Path, **choices: Any) -> Deployment:
        folder = tmp_path / f"deployment-{len(made)}"
        folder.mkdir()
        made.append(Deployment(source, folder, **choices))
        return made[-1]

    yield deployment
    for one in made:
        one.close()
