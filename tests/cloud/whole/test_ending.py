"""Nothing is left: of what was deployed, after `pulumi destroy`, and of the cloud, after Ctrl-C and after a kill."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Mapping
from pathlib import Path

from cloud.addresses import chosen_addresses
from cloud.control_plane.environment import IMAGE
from tests.cloud.whole.conftest import OTHER
from tests.cloud.whole.running_cloud import DOMAIN, RunningCloud, at_once, command_line
from tests.support.processes import wait_until
from tests.support.requirements import require

STAYS = {("aws_iam_role", "gateway-api-logs"), ("aws_route53_record", f".{DOMAIN}./CNAME")}
"""What docs/teardown.md says that stays: the role of the account's setting, and the record of the certificate."""
CONTAINER = "#!/bin/bash\ndocker pull example/numbered-streams:1\nexec docker run --rm example/numbered-streams:1\n"


def test_destroy_leaves_no_resource_no_machine_and_no_container(cloud: RunningCloud, gateway: str) -> None:
    gateways = {gateway, OTHER} & {*cloud.stacks()}
    at_once(*(lambda stack=stack: cloud.destroy(stack) for stack in cloud.stacks() if stack not in gateways))
    at_once(*(lambda stack=stack: cloud.destroy(stack) for stack in sorted(gateways, reverse=True)))
    assert (cloud.stacks(), cloud.machines()) == ([], {})
    left = {(one["kind"], re.sub(r"-[0-9a-f]{7}$|^/hostedzone/\w+/_\w+", "", one["id"])) for one in cloud.resources()}
    assert left == STAYS
    wait_until(lambda: _machines(cloud.processes()) == [], within=60, what="no process of a machine")


def test_a_killed_cloud_leaves_nothing_after_the_next_start_and_ctrl_c_ends_everything(tmp_path: Path) -> None:
    for name in ("linux", "machines"):
        require(name)
    killed = RunningCloud(tmp_path / "cloud")
    killed.client("ec2").run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, UserData=CONTAINER)
    wait_until(lambda: any("numbered-streams" in one for one in killed.processes().values()), within=60)
    left = killed.processes()
    os.kill(killed.pid, signal.SIGKILL)
    cloud = RunningCloud(tmp_path / "cloud")
    try:
        wait_until(lambda: _alive(left) == {}, within=30, what="the end of what was killed")
        assert (cloud.machines(), cloud.resources()) == ({}, [])
        cloud.client("ec2").run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, UserData=CONTAINER)
        wait_until(lambda: any("numbered-streams" in one for one in cloud.processes().values()), within=60)
        there = cloud.processes()
        os.kill(cloud.pid, signal.SIGINT)
        assert cloud.wait() == 0
        wait_until(lambda: _alive(there) == {}, within=30, what="the end of every process")
        chosen_addresses(cloud.addresses.control_plane, cloud.addresses.https)
    finally:
        cloud.close()
        killed.close()


def _alive(processes: Mapping[int, str]) -> Mapping[int, str]:
    return {one: line for one, line in processes.items() if command_line(one) == line}


def _machines(processes: Mapping[int, str]) -> list[str]:
    """The command lines of machines and of what runs in containers."""
    return [line for line in processes.values() if "cloud.machines.machine" in line or "/opt/stand-ins/" in line]
