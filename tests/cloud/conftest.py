"""Limits of the tests of make cloud: they are for tests that hang, and a machine can be busy."""

from __future__ import annotations

from pathlib import Path

import pytest

FAR_TOO_LONG = 600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(FAR_TOO_LONG))
