"""Both configurations of the document, served once for all tests that ask for them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.conftest import program
from tests.support.local_service import LLAMA_2, MISTRAL, LocalService, serving

__all__ = ["program"]

GROUP = "local service"
"""Tests with the stand-in model run on one worker: the model is loaded once, and 2 cores are not fought over."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "service" in getattr(item, "fixturenames", ()) and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(GROUP))


@pytest.fixture(scope="session")
def service() -> Iterator[LocalService]:
    """`make local` with the document's two configurations, byte for byte."""
    with serving(MISTRAL, LLAMA_2) as service:
        yield service
