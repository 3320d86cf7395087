from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.configuration import ServiceConfiguration
from infra.configuration.reading import loads
from infra.planning import OpenRepository, ServicePlan, plan_service, resolve_with
from infra.planning.hub import open_on_hub
from tests.planning.hub_server import Hub, serve_hub


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve_hub() as served:
        yield served


@pytest.fixture
def open_repository(hub: Hub, tmp_path: Path) -> OpenRepository:
    """Repositories of the test's own Hub, in a cache of its own, asked again without waiting."""
    return open_on_hub({"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(tmp_path / "cache")}, pauses=(0, 0))


@pytest.fixture
def plan(open_repository: OpenRepository) -> Callable[..., ServicePlan]:
    """Plans a configuration's text, run name `run` and an empty environment unless said otherwise."""

    def planned(text: str, **arguments: Any) -> ServicePlan:
        given = {"run": "run", "environment": {}, "resolve": resolve_with(open_repository), **arguments}
        return plan_service(service(text), **given)

    return planned


def service(text: str) -> ServiceConfiguration:
    configuration = loads(text, "test.dstack.yml")
    assert isinstance(configuration, ServiceConfiguration)
    return configuration
