"""Nothing of a machine outlives the process that started it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.real_boot.folders import FOLDER, remove_leftovers

pytestmark = [pytest.mark.boot, pytest.mark.timeout(300)]

STARTS_A_MACHINE = """
import sys, time
from pathlib import Path
from cloud.machines.nspawn.machine import Machine
from cloud.machines.nspawn.namespace import NetworkNamespace
from tests.real_boot.folders import MEMORY_MB, new_folder
machine = Machine(Path(sys.argv[1]), NetworkNamespace(), {}, folder=new_folder(), memory_mb=MEMORY_MB)
machine.start()
while not machine.is_booted:
    time.sleep(0.2)
machine.run("sh", "-c", "sleep 1000 >/dev/null 2>&1 & exit 0")
print("booted", flush=True)
time.sleep(1000)
"""


def test_a_killed_run_leaves_no_process_no_mount_and_in_the_end_no_folder(root: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTS_A_MACHINE, str(root)], cwd=Path(__file__).parents[2], stdout=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"booted\n"
        folder = next(FOLDER.glob(f"{run.pid}-*"))
        inside = _processes_of(folder)
        assert len(inside) > 3
        run.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 60
    while (left := _processes_of(folder)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left == set()
    assert str(folder) not in Path("/proc/mounts").read_text()
    remove_leftovers()
    assert not folder.exists()


def _processes_of(folder: Path) -> set[int]:
    """Return the processes whose mounts have a machine's file system."""
    found: set[int] = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder) in (process / "mountinfo").read_text():
                found.add(int(process.name))
        except OSError:
            continue
    return found
