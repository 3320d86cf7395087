"""A control plane ends with whoever started it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.cloud.control_plane.conftest import start
from tests.support.processes import wait_until

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
    port = int((tmp_path / "port").read_text())
    wait_until(lambda: refuses(port), within=100, what="the end of the control plane")


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=100).close()
    except ConnectionRefusedError:
        return True
    return False
