"""Configurations that do not start: stories of one stack each, which end with a configuration that serves."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

GOOD = """\
type: service
image: vllm/vllm-openai:v0.11.0
port: 8000
commands: [vllm serve some/model --port 8000]
model: some/model
resources: {gpu: "24GB:1"}
"""


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
