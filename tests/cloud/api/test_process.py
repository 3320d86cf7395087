"""`python -m cloud.api`: how it starts, and that nothing of it stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud.api.conftest import DOMAIN
from tests.cloud.api.deployment import Cloud
from tests.lambda_function.service import Answer, Service, Steps
from tests.support.ports import held_port
from tests.support.processes import ROOT, wait_until


class Started:
    """The program, and a client that waits within a stream of it."""

    def __init__(self, cloud: Cloud, folder: Path, web: Service, *, port: int, proxy_port: int) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "cloud.api", "--control-plane", cloud.url, "--folder", str(folder)]
        command += ["--port", str(port), "--proxy-port", str(proxy_port)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"
        web.answers = lambda asked: Answer(pieces=Steps(b"one"))
        # A gateway that has not read its table within three seconds answers 503.
        asked = ["curl", "-sN", "--retry", "20", "--retry-delay", "1", "--cacert", str(folder / "ca.pem")]
        asked += [f"https://web.{DOMAIN}:{port}/"]
        self.client = subprocess.Popen(asked, stdout=subprocess.DEVNULL, env={"PATH": "/usr/bin:/bin"})
        wait_until(lambda: len(web.asked) == 1, within=100, what="the request at the service")

    def instances(self) -> list[int]:
        """The processes of functions."""
        wanted = f"LAMBDA_TASK_ROOT={self.folder}".encode()
        found: list[int] = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if wanted in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
        return found


@pytest.fixture
def started(cloud: Cloud, gateway: str, web: Service, tmp_path: Path) -> Iterator[Started]:
    with held_port() as port, held_port() as proxy_port:
        started = Started(cloud, tmp_path, web, port=port, proxy_port=proxy_port)
        yield started
    for process in (started.process, started.client):
        process.kill()
        process.wait(100)
    for stream in (started.process.stdin, started.process.stdout):
        assert stream is not None
        stream.close()


@pytest.mark.parametrize("how", ["end of standard input", "SIGTERM"])
def test_it_ends_with_its_standard_input_and_so_do_functions(started: Started, how: str) -> None:
    assert started.instances()
    if how == "SIGTERM":
        started.process.send_signal(signal.SIGTERM)
    else:
        assert started.process.stdin is not None
        started.process.stdin.close()
    assert started.process.wait(100) == 0
    assert started.instances() == []
    started.client.wait(100)


def test_functions_end_when_it_is_killed(started: Started) -> None:
    assert started.instances()
    os.kill(started.process.pid, signal.SIGKILL)
    started.process.wait(100)
    wait_until(lambda: started.instances() == [], within=100, what="the end of functions")
