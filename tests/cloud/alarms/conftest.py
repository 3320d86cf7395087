"""A control plane whose clock a test moves."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.aws.recording import Recording
from tests.cloud.alarms.service import Process, Service
from tests.components.deploying import Account

GATEWAY = "type: gateway\nbackend: aws\nregion: us-east-1\ndomain: example.com\n"


@pytest.fixture(scope="session")
def process() -> Iterator[Process]:
    """One control plane for all tests of this folder."""
    command = [sys.executable, "-m", "tests.cloud.alarms.stepping"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        port, now = running.stdout.readline().split()
        yield Process(f"http://127.0.0.1:{port}", float(now), running.stdin, running.stdout)
        running.stdin.close()


@pytest.fixture
def service(process: Process, tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Deploys a service: its scaling and its alarms are those that the program makes."""
    made: list[Service] = []

    def deployed(text: str, **config: object) -> Service:
        account = Account(tmp_path).with_gateway(GATEWAY)
        recorded: Recording = account.up("run", {"configuration": account.written("serve.yml", text), **config})
        made.append(Service(process, recorded))
        return made[-1]

    yield deployed
    for one in made:
        one.close()
