"""The configured image, run by docker on this machine.

Argument vectors are lists. The command line of docker has only the names of environment variables. Their values are in
the environment of the docker command, so that no process list shows them.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infra.configuration import Secret
from infra.planning.plan import Container

WEIGHTS_VOLUME = "servestack-hub-cache"
"""The docker volume for the Hub cache. It keeps weights, so that they are not downloaded at every start."""

_READ_BY_DOCKER = ("PATH", "HOME")
"""The docker command itself reads these, and `DOCKER_…`. So they cannot hold values for a container."""


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
    """Return the docker command with an engine that answers.

    Raises:
        DockerMissing: there is no command, or no engine.
    """
    remedy = "start an engine, or remove --docker to use a small model on this machine's CPU"
    command = shutil.which("docker")
    if command is None:
        raise DockerMissing(
            f"--docker runs the configured image with docker, but docker is not installed: install it and {remedy}."
        )
    answer = _ask([command, "version", "--format", "{{.Server.Version}}"])
    if answer.returncode != 0:
        why = (answer.stderr.strip() or answer.stdout.strip() or f"it ended with {answer.returncode}").splitlines()[-1]
        raise DockerMissing(
            f"--docker runs the configured image with docker. This machine has a docker command ({command}), "
            f"but no docker engine answers: {remedy}.\n  docker says: {why}"
        )
    return Docker(command=command, gpus=_count_gpus())


def run_command(docker: Docker, container: Container, *, name: str, port: int) -> list[str]:
    """Return the argument vector that runs `container` in the foreground on 127.0.0.1:`port`. Its end removes it."""
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
    if container.terminal:
        command += ["--tty"]
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
    """Return the environment of the docker command: `environment`, and the values that it passes to the container."""
    values = {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in container.environment
        if not _docker_reads(name)
    }
    return {**environment, **values}


def remove_command(docker: Docker, name: str) -> list[str]:
    """Return the argument vector that removes the container, running or not."""
    return [docker.command, "rm", "--force", name]


def _docker_reads(variable: str) -> bool:
    return variable in _READ_BY_DOCKER or variable.startswith("DOCKER_")


def _plain(variable: str, value: str | Secret) -> str:
    if isinstance(value, Secret):
        raise DockerMissing(
            f"env {variable}: the docker command itself reads this variable, so it cannot pass a secret in it to the "
            "container; use another name, or a value that is not a secret"
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
