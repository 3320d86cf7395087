"""Limits and folders of the tests of make cloud. The limits are for tests that hang, and a machine can be busy."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

FAR_TOO_LONG = 600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(FAR_TOO_LONG))


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder with a short path, in place of pytest's own: the path of a cloud's folder has a limit."""
    with tempfile.TemporaryDirectory(prefix="cloud-", ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve()
