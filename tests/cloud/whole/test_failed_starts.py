"""Replicas that do not start: `pulumi up` fails and says why, nothing runs on, and a corrected configuration serves."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.whole.running_cloud import DOMAIN, RunningCloud, at_once

GOOD = """\
type: service
image: vllm/vllm-openai:v0.11.0
port: 8000
commands: [vllm serve some/model --port 8000]
model: some/model
resources: {gpu: "24GB:1"}
"""
BILLING = "The group is set to zero and its instances have ended. They are no longer billed."


def changed(**keys: str) -> str:
    """The good configuration with other values of its keys."""
    text = GOOD
    for key, value in keys.items():
        text = re.sub(rf"^{key}: .*\n|\Z", f"{key}: {value}\n", text, count=1, flags=re.MULTILINE)
    return text


def says(output: str) -> str:
    """A configuration whose container prints a text and ends, as a server does that cannot start."""
    return changed(commands=f"['echo \"{output}\"; exit 1']")


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A configuration that does not start."""

    what: str
    configuration: str
    cause: str
    """What the report says. INSTANCE stands for the replica's id, and <number> for a number."""
    step: str | None = "container ended"
    """The last step of the replica; `None`: no replica was there."""
    remedy: str | None = None
    written: str | None = None
    """The last line of the container."""
    refused: str | None = None
    """What EC2 says to each launch."""


OUTPUT = "; the container's output is in the log stream INSTANCE/container"
NOT_THERE = "manifest for example/not-found:1 not found: manifest unknown: manifest unknown"
QUOTA = (
    "You have requested more vCPU capacity than your current vCPU limit of 0 allows for the instance bucket that the "
    "specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an "
    "adjustment to this limit"
)
TYPE = "g5.xlarge"
"""Only one story uses it, because the others would miss it too."""
NEVER_OPENED = "port 8000 never opened: nothing in the container listens on it after <number> s"
STORIES: Mapping[str, Sequence[Attempt]] = {
    "image": (
        Attempt(
            what="an image that does not exist",
            configuration=changed(image="example/not-found:1"),
            cause=f"the image example/not-found:1 was not found: Error response from daemon: {NOT_THERE}",
            step="pulling image",
        ),
        Attempt(
            what="a private image without a login",
            configuration=changed(image="example/private-vllm:1"),
            cause="the image example/private-vllm:1 was not found, or it is private and needs registry_auth: Error "
            "response from daemon: pull access denied for example/private-vllm, repository does not exist or may "
            "require 'docker login': denied: requested access to the resource is denied",
            step="pulling image",
        ),
        Attempt(
            what="a login that the registry refuses",
            configuration=changed(image="example/private-vllm:1", registry_auth="{username: me, password: wrong}"),
            cause="the image registry Docker Hub refused the login of registry_auth: Error response from daemon: Get "
            '"https://registry-1.docker.io/v2/": unauthorized: incorrect username or password',
            step="logging in to the image registry",
        ),
    ),
    "command": (
        Attempt(
            what="an image for another processor",
            configuration=changed(image="example/arm-only:1"),
            cause="the image example/arm-only:1 has no variant for linux/amd64",
            step="pulling image",
        ),
        Attempt(
            what="a command that is not in the image",
            configuration=changed(commands="[vlm serve some/model]"),
            cause="a program of the container's command was not found or cannot be run (status 127)" + OUTPUT,
            written="/bin/sh: 1: vlm: not found",
        ),
        Attempt(
            what="an option that the server does not know",
            configuration=says("vllm: error: unrecognized arguments: --max-modle-len 100"),
            cause="the server refuses its command line or configuration: vllm: error: unrecognized arguments: "
            "--max-modle-len 100" + OUTPUT,
            written="vllm: error: unrecognized arguments: --max-modle-len 100",
        ),
    ),
    "model": (
        Attempt(
            what="a model that is too large",
            configuration=says("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB."),
            cause="out of GPU memory: request more under resources.gpu, or use a smaller or quantized model" + OUTPUT,
            written="torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB.",
        ),
        Attempt(
            what="a gated model",
            configuration=says("huggingface_hub.errors.GatedRepoError: 401 Client Error."),
            cause="the model is gated: accept its conditions on the Hub, and give the service a token of the same "
            "account" + OUTPUT,
            written="huggingface_hub.errors.GatedRepoError: 401 Client Error.",
        ),
        Attempt(
            what="a model that the server is too old for",
            configuration=says("ValueError: Model architectures NewForCausalLM are not supported for now."),
            cause="this version of the server does not support the model's architecture: use a newer image, or another "
            "model" + OUTPUT,
            written="ValueError: Model architectures NewForCausalLM are not supported for now.",
        ),
    ),
    "port": (
        Attempt(
            what="a port that never opens",
            configuration=changed(commands="[sleep 1000]"),
            cause=f"{NEVER_OPENED}; make the command listen on this port, on 0.0.0.0",
            step="waiting for port 8000",
        ),
        Attempt(
            what="another port",
            configuration=changed(commands="[vllm serve some/model --port 8001]"),
            cause=f"{NEVER_OPENED}; the container listens on 8001; make the command listen on this port, on 0.0.0.0",
            step="waiting for port 8000",
            written="SmolLM2-135M stands in for some/model, on http://0.0.0.0:8001",
        ),
    ),
    "capacity": (
        Attempt(
            what="an account without a quota",
            configuration=changed(instance_types=f"[{TYPE}]"),
            cause="no instance started: the account has no vCPU quota for on-demand instances of this family (the "
            f"limit is 0) (AWS: {QUOTA})",
            step=None,
            remedy="ask for one under Service Quotas, Amazon EC2 (G and VT: L-DB2E81BA, P: L-417A185B); AWS can need "
            "hours or days",
            refused=f"{QUOTA}. Launching EC2 instance failed.",
        ),
    ),
}
CORRECTED: Mapping[str, str] = {
    "image": changed(image="example/private-vllm:1", registry_auth="{username: me, password: right}"),
    "capacity": changed(instance_types=f"[{TYPE}]"),
}
"""Where it is not the good one."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What there was after an attempt."""

    report: str
    """What `pulumi up` says at its end."""
    group: tuple[int, int, int]
    """Its minimum, desired and number of instances."""
    machines: int
    """Instances of the group that have not ended."""
    status: int
    """Of a request for the run."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """A story: what there was after each attempt, and at its end."""

    attempts: Sequence[Found]
    end: Found
    answer: Any


@pytest.fixture(scope="module")
def told(cloud: RunningCloud, gateway: str, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Told]:
    """All stories, which take place at the same time."""
    folder, key = tmp_path_factory.mktemp("configurations"), cloud.key()
    ended = at_once(*(lambda stack=stack: _tell(cloud, stack, folder, key) for stack in STORIES))
    return dict(zip(STORIES, ended, strict=True))


EVERY = [(stack, number) for stack, attempts in STORIES.items() for number in range(len(attempts))]


@pytest.mark.parametrize(("stack", "number"), EVERY, ids=[STORIES[stack][number].what for stack, number in EVERY])
def test_a_failed_start_is_explained_and_nothing_runs_on(told: Mapping[str, Told], stack: str, number: int) -> None:
    attempt, found = STORIES[stack][number], told[stack].attempts[number]
    assert found.report == expected(stack, attempt)
    assert (found.group, found.machines, found.status) == ((0, 0, 0), 0, 404)


@pytest.mark.parametrize("stack", list(STORIES))
def test_a_corrected_configuration_serves(told: Mapping[str, Told], stack: str) -> None:
    story = told[stack]
    assert (story.end.group, story.end.machines, story.end.status) == ((1, 1, 1), 1, 200)
    assert [model["id"] for model in story.answer["data"]] == [f"some/{stack}"]


def expected(stack: str, attempt: Attempt) -> str:
    """The report of an attempt, as `readable` leaves it."""
    lines = [f"{stack} does not serve: {attempt.cause}"]
    if attempt.step is not None:
        lines.append(f"  replica: INSTANCE, last step: {attempt.step}")
    lines.append(f"  billing: {BILLING}")
    if attempt.remedy is not None:
        lines.append(f"  remedy: {attempt.remedy}")
    if attempt.step is not None:
        lines.append(f'  logs: make logs STACK={stack} ARGS="--replica INSTANCE --since 1d"')
    if attempt.written is not None:
        lines += ["  the last line of the container on INSTANCE:", f"    {attempt.written}"]
    return "\n".join(lines).replace("some/model", f"some/{stack}")


def readable(printed: str) -> str:
    """The report in what `pulumi up` prints, without what differs from run to run."""
    report = printed.rpartition("-readiness: ")[2].rstrip()
    report = re.sub(r"\bi-[0-9a-f]{17}\b", "INSTANCE", report)
    report = re.sub(r"after \d+ s\b", "after <number> s", report)
    # The replica and `pulumi up` have the same time, so the replica can be about to replace itself.
    report = report.replace("; the replica did not serve within 60 s, so the instance is replaced", "")
    return report.replace("last step: being replaced", "last step: waiting for port 8000")


def _tell(cloud: RunningCloud, stack: str, folder: Path, key: str) -> Told:
    file = folder / f"{stack}.dstack.yml"
    found: list[Found] = []
    for attempt in STORIES[stack]:
        file.write_text(attempt.configuration.replace("some/model", f"some/{stack}"))
        if attempt.refused is not None:
            cloud.capacity(TYPE, available=False, message=attempt.refused)
        found.append(_found(cloud, stack, key, cloud.deploy(stack, file, "boot_timeout 60s", status=1)))
        if attempt.refused is not None:
            cloud.capacity(TYPE, available=True)
    file.write_text(CORRECTED.get(stack, GOOD).replace("some/model", f"some/{stack}"))
    end = _found(cloud, stack, key, cloud.deploy(stack, file, "boot_timeout 30m"))
    with cloud.http(headers={"Authorization": f"Bearer {key}"}) as http:
        answer = http.get(f"https://{stack}.{DOMAIN}/v1/models").json()
    return Told(attempts=found, end=end, answer=answer)


def _found(cloud: RunningCloud, stack: str, key: str, printed: str) -> Found:
    groups = cloud.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    group = next(one for one in groups if one["AutoScalingGroupName"].startswith(f"{stack}-replicas-"))
    with cloud.http(headers={"Authorization": f"Bearer {key}"}) as http:
        status = http.get(f"https://{stack}.{DOMAIN}/health").status_code
    return Found(
        report=readable(printed),
        group=(group["MinSize"], group["DesiredCapacity"], len(group["Instances"])),
        machines=len(cloud.machines(group["AutoScalingGroupName"])),
        status=status,
    )
