"""Machines of systemd-nspawn: from a configuration to a real model in a container of docker, and back to nothing."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.cloud.whole.asking import client
from tests.cloud.whole.conftest import VLLM
from tests.cloud.whole.running_cloud import DOMAIN, RunningCloud, at_once
from tests.cloud.whole.service import STREAMS, Service
from tests.support.processes import wait_until
from tests.support.requirements import require

pytestmark = pytest.mark.timeout(1800)

MODEL = "Qwen/Qwen2.5-7B-Instruct"
LINES = [str(number) for number in range(1, 25)]
STREAM = "/stream?lines=24&pause=0.5"
"""It takes 12 s: a replica that drains has 15 s, which is AWS's quarter of an hour."""
HOOK = "look"


@pytest.fixture(name="booted", scope="module")
def _booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    """A cloud whose machines boot Debian, with a gateway and two services."""
    require("cloud")
    require("boot")
    running = RunningCloud(tmp_path_factory.mktemp("booted"), machines="nspawn")
    try:
        running.deploy("gateway", "examples/gateway.dstack.yml", f"domain {DOMAIN}", "protect false")
        at_once(
            lambda: running.deploy(VLLM, "examples/vllm/serve.dstack.yml"),
            lambda: _streams(running).configure(STREAMS),
        )
        yield running
    finally:
        running.close()


def test_a_real_model_answers_through_the_gateway_piece_by_piece(booted: RunningCloud) -> None:
    http: Any = booted.http()
    message: Any = {"role": "user", "content": "What is Deep Learning?"}
    with openai.OpenAI(base_url=f"https://gateway.{DOMAIN}/v1", api_key=booted.key(), http_client=http) as sdk:
        stream = sdk.chat.completions.create(model=MODEL, messages=[message], max_tokens=24, temperature=0, stream=True)
        pieces = [chunk.choices[0].delta.content for chunk in stream if chunk.choices]
    assert len([piece for piece in pieces if piece]) > 12
    curl = booted.run("bash", "-c", f'eval "$(pulumi stack output curl --stack {VLLM}) --silent"')
    assert json.loads(curl)["model"] == MODEL


def test_what_a_replica_did_is_in_its_log(booted: RunningCloud) -> None:
    written = booted.run("make", "--no-print-directory", "logs", f"STACK={VLLM}").splitlines()
    said = [line.partition("/")[2] for line in written if "/boot " in line or "/container " in line]
    boot = [line.removeprefix("boot ") for line in said if line.startswith("boot ")]
    assert [line for line in boot if not line.startswith(("pulling image", "waiting for"))] == [
        "machine ready",
        "GPUs found: 1",
        "starting container",
        "serving",
    ]
    container = [line.removeprefix("container ") for line in said if line.startswith("container ")]
    assert container[0] == f"SmolLM2-135M stands in for {MODEL}, on http://0.0.0.0:8000"


def test_a_replica_that_ends_finishes_its_stream_and_waits_for_the_hook(booted: RunningCloud) -> None:
    service = _streams(booted)
    [before] = service.until_serving(1)
    group = str(service.group()["AutoScalingGroupName"])
    scaling = booted.client("autoscaling")
    scaling.put_lifecycle_hook(
        AutoScalingGroupName=group,
        LifecycleHookName=HOOK,
        LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING",
        HeartbeatTimeout=7200,
    )
    with client(booted.environment) as own, own.stream("GET", f"{service.url}{STREAM}") as answer:
        lines = answer.iter_lines()
        first = next(lines)
        scaling.terminate_instance_in_auto_scaling_group(InstanceId=before, ShouldDecrementDesiredCapacity=False)
        assert [first, *lines] == LINES
    service.until(lambda: _life(service, before) == "Terminating:Wait", "the wait for the hook")
    assert booted.machines(group)[before] == "running"
    scaling.complete_lifecycle_action(
        AutoScalingGroupName=group, LifecycleHookName=HOOK, InstanceId=before, LifecycleActionResult="CONTINUE"
    )
    service.until(lambda: before not in booted.machines(group), "the end of the machine")
    scaling.delete_lifecycle_hook(AutoScalingGroupName=group, LifecycleHookName=HOOK)
    [after] = service.until_serving(1)
    assert after != before
    with client(booted.environment) as own:
        assert own.get(f"{service.url}/health").text == "ok"


def test_destroy_leaves_no_machine_no_mount_and_no_control_group(booted: RunningCloud) -> None:
    at_once(lambda: booted.destroy(VLLM), lambda: booted.destroy("streams"))
    booted.destroy("gateway")
    assert (booted.stacks(), booted.machines()) == ([], {})
    machines = booted.folder / "machines"
    wait_until(lambda: not [*machines.glob("i-*")], within=120, what="the end of the folders of the machines")
    assert (_processes_of(machines), _control_groups()) == ({}, [])


def test_a_killed_cloud_leaves_no_process_and_the_next_start_removes_its_files(booted: RunningCloud) -> None:
    from cloud.control_plane.environment import IMAGE

    machines = booted.folder / "machines"
    booted.client("ec2").run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, UserData="#!/bin/sh\n")
    wait_until(lambda: len(_processes_of(machines)) > 5, within=300, what="a machine that boots")
    os.kill(booted.pid, signal.SIGKILL)
    wait_until(lambda: _processes_of(machines) == {}, within=120, what="the end of what was killed")
    assert len([*machines.glob("i-*")]) == 1
    again = RunningCloud(booted.folder, machines="nspawn")
    try:
        assert (again.machines(), [*machines.glob("i-*")], _control_groups()) == ({}, [], [])
    finally:
        again.close()


def _streams(cloud: RunningCloud) -> Service:
    return Service(cloud, "streams", cloud.folder)


def _life(service: Service, instance: str) -> str | None:
    states = {one["InstanceId"]: one["LifecycleState"] for one in service.group()["Instances"]}
    return states.get(instance)


def _processes_of(folder: Path) -> dict[int, str]:
    """The mounts of each process, as its kernel lists them, that has a machine's file system."""
    found: dict[int, str] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            mounts = (entry / "mountinfo").read_text()
        except OSError:
            continue
        if f"{folder}/i-" in mounts:
            found[int(entry.name)] = mounts
    return found


def _control_groups() -> list[Path]:
    root = Path("/sys/fs/cgroup")
    parents = (root, *(root / name for name in ("memory", "unified", "systemd")))
    return [path for parent in parents for path in parent.glob("servestack-machine-i-*")]
