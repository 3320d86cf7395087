"""A control plane ends with whoever started it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cloud.control_plane.conftest import start

PARENT = """
import subprocess, sys, time
child = subprocess.Popen(
    [sys.executable, "-m", "cloud.control_plane", "--port", "0", "--folder", sys.argv[1]],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE,
)
child.stdout.readline()
print(flush=True)
time.sleep(600)
"""


def test_it_ends_when_its_standard_input_does(tmp_path: Path) -> None:
    running = start(tmp_path)
    assert running.process.stdin is not None
    assert running.process.stdout is not None
    running.process.stdin.close()
    assert running.process.wait(100) == 0
    running.process.stdout.close()


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    parent.stdout.readline()
    parent.send_signal(signal.SIGKILL)
    parent.wait(100)
    parent.stdout.close()
    with pytest.raises(ConnectionRefusedError):
        connect_for(100, int((tmp_path / "port").read_text()))


def connect_for(seconds: float, port: int) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with socket.create_connection(("127.0.0.1", port), timeout=seconds):
            os.sched_yield()
