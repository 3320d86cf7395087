"""A replica's life: the unmodified user data boots on a machine, and the machine does what systemd and EC2 would do."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
from pathlib import Path

import pytest

from infra.planning import ServicePlan
from tests.boot.planned import planned
from tests.cloud.machines.world import State, World

pytestmark = pytest.mark.timeout(900)

STREAMS = "type: service\nimage: servestack/numbered-streams:1\nport: 80\nresources: {gpu: 24GB}\n"
VLLM = (
    "type: service\nimage: vllm/vllm-openai:v0.11.0\nport: 8000\nmodel: Qwen/Qwen2.5-7B-Instruct\n"
    "commands: [vllm serve Qwen/Qwen2.5-7B-Instruct --port 8000]\nresources: {gpu: 24GB}\n"
)
LOGIN = "registry_auth: {username: me, password: '${{ env.PASSWORD }}'}\nenv: [PASSWORD]\n"


def within(plan: ServicePlan, boot_timeout: int) -> ServicePlan:
    return dataclasses.replace(plan, boot_timeout=boot_timeout)


def health(world: World, instance: str) -> str:
    (found,) = world.call("autoscaling", "describe_auto_scaling_instances", InstanceIds=[instance])[
        "AutoScalingInstances"
    ]
    return found["HealthStatus"]


def test_replicas_share_a_real_model_and_end_with_their_instances(world: World) -> None:
    world.deploy(planned(service=VLLM), count=3)
    instance, *others = launched = world.launched(3)
    for one in launched:
        assert world.wait_for_step("serving", instance=one) == State("serving", None, False)
    assert len({world.instances()[one]["address"] for one in launched}) == 3
    for one in others:
        assert json.loads(world.get(one, "/v1/models"))["data"][0]["id"] == "Qwen/Qwen2.5-7B-Instruct"
    # A server that is quicker than the first look at it is not waited for.
    assert [line for line in world.log(instance, "boot") if not line.startswith("waiting for ")] == [
        "machine ready",
        "GPUs found: 1",
        *(f"pulling image {percent} %" for percent in (0, 25, 50, 75, 100)),
        "starting container",
        "serving",
    ]
    # The first figures are there before the first request, so that the GPU is idle in them.
    line = json.loads(world.wait_until(lambda: world.log(instance, "figures"), what="figures")[0])
    body = json.dumps({"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 5}).encode()
    with world.ask(instance, "/v1/chat/completions", method="POST", body=body) as answer:
        told = json.loads(answer.read())
    assert (told["model"], told["usage"]["completion_tokens"]) == ("Qwen/Qwen2.5-7B-Instruct", 5)
    said = ["SmolLM2-135M stands in for Qwen/Qwen2.5-7B-Instruct, on http://0.0.0.0:8000"]
    world.wait_until(lambda: world.log(instance, "container") == said, what="the container's log stream")
    assert line.pop("_aws")["CloudWatchMetrics"][0]["Dimensions"] == [["Table", "Run"]]
    assert {name: line[name] for name in ("Table", "Run", "instance", "type", "GpuUse", "gpu_power")} == {
        "Table": world.table,
        "Run": "run",
        "instance": instance,
        "type": "g6.xlarge",
        "GpuUse": 0,
        "gpu_power": 30,
    }
    assert _memory_mb(world) < 1500
    world.call("autoscaling", "update_auto_scaling_group", AutoScalingGroupName=world.group, DesiredCapacity=0)
    for one in launched:
        world.wait_for_state(one, "terminated")
        assert world.log(one, "boot")[-1] == "stopped"
        assert not (world.machines_folder / one).exists()


def test_a_replica_from_its_secrets_and_probes_to_its_last_stream(world: World) -> None:
    secret = "s3cr3t 'q' \"d\" $HOME \\ ü\nline two"
    lines = "env:\n  - SECRET\n  - PLAIN=with 'quotes'\n"
    probes = "probes:\n  - {type: http, url: /health}\n  - {type: http, method: post, url: /health, body: x}\n"
    world.deploy(planned(lines + probes, service=STREAMS, SECRET=secret))
    instance = world.instance()
    world.wait_for_step("serving")
    assert not (world.machines_folder / instance / "door").exists(), "the port is open, because the probes succeed"
    variables = {
        name: bytes.fromhex(value).decode() for name, value in json.loads(world.get(instance, "/environment")).items()
    }
    for changing in ("HOSTNAME", "LC_CTYPE"):
        variables.pop(changing, None)
    assert variables == {
        "PATH": "/opt/stand-ins/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "DSTACK_RUN_NAME": "run",
        "DSTACK_GPUS_NUM": "1",
        "DSTACK_GPUS_PER_NODE": "1",
        "SECRET": secret,
        "PLAIN": "with 'quotes'",
        **{name: variables[name] for name in variables if name.startswith("DSTACK_")},
    }
    places = os.walk(world.machines_folder / instance)
    written = [Path(folder, name) for folder, _, names in places for name in names]
    assert [file for file in written if b"s3cr3t" in _content(file)] == []

    assert world.get(instance, "/exit?status=3") == b"ending"
    failed = (
        "failed, trying again in 10 s: the container ended with status 3 after it had served; the container's output "
        f"is in the log stream {instance}/container"
    )
    world.wait_until(lambda: world.log(instance, "boot").count("serving") == 2, what="serving again")
    assert [line for line in world.log(instance, "boot") if line in ("serving", failed)] == [
        "serving",
        failed,
        "serving",
    ]
    assert world.get(instance, "/health") == b"ok"
    assert health(world, instance) == "Healthy"

    with world.ask(instance, "/stream?lines=60&pause=0.1") as stream:
        first = stream.readline()
        [ending] = world.call("ec2", "terminate_instances", InstanceIds=[instance])["TerminatingInstances"]
        assert ending["CurrentState"]["Name"] == "shutting-down"
        assert [first, *stream.readlines()] == [b"%d\n" % number for number in range(1, 61)]
    world.wait_for_state(instance, "terminated")
    assert world.log(instance, "boot")[-1] == "stopped"
    assert world.log(instance, "container") == ["listening", "listening", "ended"]


def _content(file: Path) -> bytes:
    """Return what a file has; nothing of what is no file, or is removed while the machine runs."""
    try:
        return file.read_bytes() if file.is_file() and not file.is_symlink() else b""
    except FileNotFoundError:
        return b""


def test_an_image_that_does_not_exist_stops_the_unit_and_the_instance_is_replaced_or_powers_off(world: World) -> None:
    image = "registry.example.com/team/not-found:1"
    service = f"type: service\nimage: {image}\nport: 80\nresources: {{gpu: 24GB}}\n"
    world.deploy(within(planned(service=service), 30), count=0)
    template = {"LaunchTemplateName": world.group}
    world.call("ec2", "run_instances", LaunchTemplate=template, MinCount=1, MaxCount=1)
    alone = world.instance()
    world.call("autoscaling", "update_auto_scaling_group", AutoScalingGroupName=world.group, DesiredCapacity=1)
    [instance] = {*world.launched(2)} - {alone}
    cause = (
        f"the image {image} was not found: Error response from daemon: manifest for {image} not found: manifest "
        "unknown: manifest unknown"
    )
    said = f"stopped, because another try cannot help: {cause}"
    world.wait_until(lambda: said in world.log(instance, "boot"), what="the end of the unit")
    world.wait_until(lambda: instance not in _healthy(world), what="the group replaces it")
    replaced = f"{cause}; another try on this machine cannot help, so the instance is replaced"
    assert replaced in world.log(instance, "boot")

    world.wait_for_state(alone, "terminated")
    without = "the Auto Scaling group cannot be told, so the machine powers off, which has the same effect"
    assert without in world.log(alone, "boot"), "no group has this machine"


def _healthy(world: World) -> list[str]:
    found = world.call("autoscaling", "describe_auto_scaling_instances")["AutoScalingInstances"]
    return [one["InstanceId"] for one in found if one["HealthStatus"].upper() == "HEALTHY"]


def test_a_refused_login_is_the_cause(world: World) -> None:
    service = STREAMS.replace("servestack/numbered-streams:1", "registry.example.com/private/server:1")
    world.deploy(planned(LOGIN, service=service, PASSWORD="wrong"))
    assert world.wait_for_final() == State(
        "logging in to the image registry",
        "the image registry registry.example.com refused the login of registry_auth: Error response from daemon: Get "
        '"https://registry.example.com/v2/": unauthorized: incorrect username or password',
        True,
    )


def test_a_container_out_of_gpu_memory_says_so(world: World) -> None:
    says = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"
    world.deploy(planned(f'commands: ["echo {says!r}", "exit 1"]\n', service=STREAMS))
    instance = world.instance()
    state = world.wait_for_final()
    assert state == State(
        "container ended",
        "out of GPU memory: request more under resources.gpu, or use a smaller or quantized model; the container's "
        f"output is in the log stream {instance}/container",
        True,
        says,
    )


def test_a_machine_that_was_stopped_or_killed_keeps_its_disk_and_boots_without_its_user_data(world: World) -> None:
    world.deploy(planned(service=STREAMS), count=0)
    world.call("ec2", "run_instances", LaunchTemplate={"LaunchTemplateName": world.group}, MinCount=1, MaxCount=1)
    instance = world.instance()
    world.wait_for_step("serving")
    world.call("ec2", "stop_instances", InstanceIds=[instance])
    world.wait_for_state(instance, "stopped")
    scripts = world.machines_folder / instance / "root/var/lib/cloud/scripts/part-001"
    scripts.unlink()
    world.call("ec2", "start_instances", InstanceIds=[instance])
    world.wait_until(lambda: world.log(instance, "boot").count("serving") == 2, what="serving again")
    after = world.log(instance, "boot")
    assert [line for line in after[after.index("stopped") :] if line.startswith("pulling")] == []
    assert (world.get(instance, "/health"), scripts.exists()) == (b"ok", False)

    os.killpg(world.cloud.machines.pid, signal.SIGKILL)
    world.cloud.machines.wait()
    root = str(world.machines_folder / instance / "root")
    world.wait_until(lambda: not _with_root(root), what="the end of all processes")
    world.cloud.start_machines()
    world.wait_until(lambda: world.log(instance, "boot").count("serving") == 3, what="serving again")
    assert world.get(instance, "/health") == b"ok"


def _memory_mb(world: World) -> float:
    """The memory of the machines and of all that they started; what several have in common counts once."""
    found, waiting = 0, [world.cloud.machines.pid]
    while waiting:
        process = Path("/proc", str(waiting.pop()))
        with contextlib.suppress(OSError):  # it can have ended meanwhile
            waiting += [int(child) for file in process.glob("task/*/children") for child in file.read_text().split()]
            for line in (process / "smaps_rollup").read_text().splitlines():
                found += int(line.split()[1]) if line.startswith("Pss:") else 0
    return found / 1024


def _with_root(root: str) -> list[int]:
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            entries = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if f"SERVESTACK_ROOT={root}".encode() in entries:
            found.append(int(folder.name))
    return found


def test_files_of_the_configuration_are_laid_into_the_container(world: World, tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "examples/files/serve.dstack.yml").read_text()
    world.deploy(planned_example(text))
    instance = world.instance()
    world.wait_for_step("serving")
    with world.ask(instance, "/") as answer:
        assert answer.status == 200
        assert b"L4" in answer.read()


def planned_example(text: str) -> ServicePlan:
    from infra.configuration import ServiceConfiguration
    from infra.configuration.reading import loads
    from infra.planning import plan_service, unresolved

    configuration = loads(text, "examples/files/serve.dstack.yml")
    assert isinstance(configuration, ServiceConfiguration)
    return plan_service(configuration, run="run", environment={}, resolve=unresolved)
