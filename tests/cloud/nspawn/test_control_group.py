"""The control groups of machines: apart from each other, limited, and gone at the end."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from cloud.machines.nspawn.control_group import ControlGroup
from tests.support.requirements import require


def test_two_machines_have_groups_of_their_own_and_leave_none() -> None:
    """systemd waits for the end of a unit by its group, so a shared one would have the processes of both."""
    require("boot")
    groups = [ControlGroup(f"i-test-{os.getpid()}-{number}", 64) for number in range(2)]
    folders = [file.parent for group in groups for file in group.processes]
    try:
        assert len({*folders}) == 2 * len(groups[0].processes) > 0
        for group in groups:
            enter = "".join(f"echo 0 >{file}; " for file in group.processes)
            shown = subprocess.run(
                ["sh", "-c", f"{enter}cat /proc/self/cgroup"], capture_output=True, text=True, check=True
            ).stdout
            own = {file.parent.name for file in group.processes}
            assert sum(line.rpartition("/")[2] in own for line in shown.splitlines()) == len(group.processes)
    finally:
        for group in groups:
            group.close()
    assert [folder for folder in folders if Path(folder).exists()] == []
