"""A command whose cloud ends, and the next cloud in the same folder."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.cloud.whole.running_cloud import DOMAIN, RunningCloud
from tests.support.requirements import require


def test_an_update_ends_with_its_cloud_and_the_next_cloud_of_the_folder_begins_with_nothing(tmp_path: Path) -> None:
    require("cloud")
    killed = RunningCloud(tmp_path / "cloud")
    up = None
    try:
        killed.run("pulumi", "stack", "init", "gateway")
        for key, value in (("configuration", "examples/gateway.dstack.yml"), ("domain", DOMAIN)):
            killed.run("pulumi", "config", "set", key, value)
        up = killed.start("pulumi", "up", "--yes", "--skip-preview")
        up.wait_for(lambda said: "LoadBalancer" in said, within=300)
        os.kill(killed.pid, signal.SIGKILL)
        assert up.wait(within=120) != 0
        assert f"the cloud at {killed.endpoint} has ended" in up.output
    finally:
        if up is not None:
            up.end()
        killed.close()
    there = (tmp_path / "cloud" / "project").stat().st_ino
    cloud = RunningCloud(tmp_path / "cloud")
    try:
        assert (cloud.stacks(), cloud.resources(), cloud.machines()) == ([], [], {})
        assert cloud.project.stat().st_ino == there, "a terminal that is in the folder stays in it"
        assert "gateway" in cloud.run("pulumi", "up", "--yes", "--skip-preview", "--stack", "gateway", status=1)
    finally:
        cloud.close()
