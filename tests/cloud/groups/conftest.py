"""A control plane whose clock a test moves, with machines and a load balancer that do what the test says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.cloud.groups.world import Cloud, Process


@pytest.fixture(scope="session")
def process() -> Iterator[Process]:
    """One control plane for all tests of this folder: each has its own group, and capacity of its own."""
    command = [sys.executable, "-m", "tests.cloud.groups.stepping"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        yield Process(f"http://127.0.0.1:{int(running.stdout.readline())}", running.stdin, running.stdout)
        running.stdin.close()


@pytest.fixture
def cloud(process: Process) -> Iterator[Cloud]:
    made = Cloud(process)
    yield made
    made.close()
