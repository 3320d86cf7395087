from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from cloud.deployment.terraform.client import Planned, Provider
from tests.provider import judged
from tests.provider.judged import Resource
from tests.provider.probing import Probe, probes
from tests.support.aws_provider import on_one_worker, provider_alone


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    on_one_worker(items, Path(__file__).parent, pytest.mark.provider)


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    with provider_alone() as running:
        yield running


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> list[Resource]:
    """The AWS resources of every example and every edge."""
    return list(judged.everything(tmp_path_factory.mktemp("accounts")))


@pytest.fixture(scope="session")
def plans(provider: Provider, everything: list[Resource]) -> list[tuple[Resource, Planned]]:
    """What the provider plans for each of them, when nothing is there."""
    return [(resource, judged.planned(provider, resource)) for resource in everything]


@pytest.fixture(scope="session")
def each_type(everything: list[Resource]) -> Mapping[str, Resource]:
    """A resource of each type, with as many properties as possible."""
    return judged.each_type(everything)


@pytest.fixture(scope="session")
def probed(provider: Provider, each_type: Mapping[str, Resource]) -> list[Probe]:
    """Every wrong value, with what the provider says of it."""
    return [probe for resource in each_type.values() for probe in probes(provider, resource)]
