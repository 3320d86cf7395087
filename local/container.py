"""The configured image, run by docker on this machine.

Argument vectors are lists. The values of environment variables are in the docker command's own environment, named
on its command line and not written there, so that no process list shows them.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infra.configuration import Secret
from infra.planning.plan import Container

WEIGHTS_VOLUME = "servestack-hub-cache"
"""The docker volume that stands for a replica's Hub cache, so that weights are downloaded once, not at every start."""

_READ_BY_DOCKER = ("PATH", "HOME")
"""The docker command looks into these itself, and into `DOCKER_…`, so a container's own values cannot stand there."""


class DockerMissing(Exception):
    """The configured image cannot run here. `str()` says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Docker:
    """The docker of this machine."""

    command: str
    """Path of the docker command."""
    gpus: int
    """NVIDIA GPUs of this machine."""


def find_docker() -> Docker:
    """The docker command with an engine that answers.

    Raises:
        DockerMissing: there is no command, or no engine behind it.
    """
    remedy = "start one, or leave --docker out: a small model on this machine's CPU then stands in"
    command = shutil.which("docker")
    if command is None:
        raise DockerMissing(f"--docker runs the configured image with docker, and there is no docker here: {remedy}.")
    answer = _ask([command, "version", "--format", "{{.Server.Version}}"])
    if answer.returncode != 0:
        why = (answer.stderr.strip() or answer.stdout.strip() or f"it ended with {answer.returncode}").splitlines()[-1]
        raise DockerMissing(
            f"--docker runs the configured image with docker. There is a docker command ({command}) "
            f"but no docker engine: {remedy}.\n  docker says: {why}"
        )
    return Docker(command=command, gpus=_count_gpus())


def run_command(docker: Docker, container: Container, *, name: str, port: int) -> list[str]:
    """The argument vector that runs `container` in the foreground, published on 127.0.0.1:`port`, gone at its end."""
    command = [docker.command, "run", "--rm", "--name", name, "--publish", f"127.0.0.1:{port}:{container.port}"]
    if docker.gpus:
        command += ["--gpus", "all"]
    if container.shm_size_mb is not None:
        command += ["--shm-size", f"{container.shm_size_mb}m"]
    if container.working_dir is not None:
        command += ["--workdir", container.working_dir]
    if container.user is not None:
        command += ["--user", container.user]
    if container.privileged:
        command += ["--privileged"]
    for mount in container.mounts:
        command += ["--volume", f"{mount.instance_path}:{mount.path}"]
    for path in container.hub_cache_paths:
        command += ["--volume", f"{WEIGHTS_VOLUME}:{path}"]
    for variable, value in container.environment:
        command += ["--env", f"{variable}={_plain(variable, value)}" if _docker_reads(variable) else variable]
    for variable in container.gpu_count_variables:
        command += ["--env", f"{variable}={docker.gpus}"]
    if container.entrypoint is not None:
        command += ["--entrypoint", container.entrypoint]
    return [*command, container.image, *container.arguments]


def run_environment(container: Container, environment: Mapping[str, str]) -> dict[str, str]:
    """The docker command's environment: this one's, and the container's values for it to hand on."""
    values = {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in container.environment
        if not _docker_reads(name)
    }
    return {**environment, **values}


def remove_command(docker: Docker, name: str) -> list[str]:
    """The argument vector that removes the container, running or not."""
    return [docker.command, "rm", "--force", name]


def _docker_reads(variable: str) -> bool:
    return variable in _READ_BY_DOCKER or variable.startswith("DOCKER_")


def _plain(variable: str, value: str | Secret) -> str:
    if isinstance(value, Secret):
        raise DockerMissing(
            f"env {variable}: the docker command reads this variable itself, so a secret cannot be handed on in it; "
            "give it another name or a plain value"
        )
    return value


def _count_gpus() -> int:
    if shutil.which("nvidia-smi") is None:
        return 0
    listed = _ask(["nvidia-smi", "--list-gpus"])
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines()) if listed.returncode == 0 else 0


def _ask(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(list(command), 1, "", str(error))
