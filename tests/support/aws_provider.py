"""HashiCorp's AWS provider in tests: one process of it at a time, because it takes half a gigabyte."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest

from cloud.deployment.terraform import finding
from cloud.deployment.terraform.client import Provider, provider
from tests.support.requirements import require


def on_one_worker(items: Sequence[pytest.Item], folder: Path, *marks: pytest.MarkDecorator) -> None:
    """Give all tests of a folder to one worker, with time for the provider's start."""
    for item in items:
        if folder in item.path.parents:
            for mark in (pytest.mark.xdist_group("provider"), pytest.mark.timeout(600), *marks):
                item.add_marker(mark)


@contextlib.contextmanager
def provider_alone() -> Generator[Provider]:
    """The provider, which asks nobody anything. A test that needs it is skipped where it is missing."""
    require("provider-aws")
    binary = finding.binary()
    assert binary is not None
    with provider(binary) as running:
        running.configure("us-east-1")
        yield running
