"""`--docker`: the plan's container as docker's argument vector, and what is said where there is no docker."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from infra.configuration import Secret
from infra.planning.container_plan import Container, Mount
from local.container import Docker, DockerMissing, find_docker, remove_command, run_command, run_environment

CONTAINER = Container(
    image="ghcr.io/huggingface/text-generation-inference:latest",
    entrypoint="/bin/sh",
    arguments=("-i", "-c", "text-generation-launcher --port 80"),
    environment=(("MODEL_ID", "a/b"), ("HF_TOKEN", Secret("hf_secret")), ("LINES", 'one\n"two" $three')),
    port=80,
    shm_size_mb=None,
    working_dir=None,
    user=None,
    privileged=False,
    registry_login=None,
    mounts=(),
    hub_cache_paths=("/data",),
    gpu_count_variables=("DSTACK_GPUS_NUM",),
)
WITHOUT_GPU = Docker(command="/usr/bin/docker", gpus=0)


def test_the_documents_container_is_one_argument_vector() -> None:
    assert run_command(WITHOUT_GPU, CONTAINER, name="n", port=3000) == [
        *("/usr/bin/docker", "run", "--rm", "--name", "n", "--publish", "127.0.0.1:3000:80"),
        *("--volume", "servestack-hub-cache:/data"),
        *("--env", "MODEL_ID", "--env", "HF_TOKEN", "--env", "LINES", "--env", "DSTACK_GPUS_NUM=0"),
        *("--entrypoint", "/bin/sh", "ghcr.io/huggingface/text-generation-inference:latest"),
        *("-i", "-c", "text-generation-launcher --port 80"),
    ]


def test_everything_that_a_configuration_can_say_is_handed_on() -> None:
    container = dataclasses.replace(
        CONTAINER,
        entrypoint=None,
        arguments=(),
        environment=(),
        shm_size_mb=16384,
        working_dir="/app",
        user="1000:1000",
        privileged=True,
        mounts=(Mount(instance_path="/models", path="/data"),),
        hub_cache_paths=(),
        gpu_count_variables=(),
    )
    assert run_command(Docker(command="docker", gpus=2), container, name="n", port=3000) == [
        *("docker", "run", "--rm", "--name", "n", "--publish", "127.0.0.1:3000:80", "--gpus", "all"),
        *("--shm-size", "16384m", "--workdir", "/app", "--user", "1000:1000", "--privileged"),
        *("--volume", "/models:/data", "ghcr.io/huggingface/text-generation-inference:latest"),
    ]


def test_values_are_in_the_environment_of_the_docker_command_and_not_on_its_line() -> None:
    environment = run_environment(CONTAINER, {"PATH": "/bin", "MODEL_ID": "the caller's"})
    assert environment == {"PATH": "/bin", "MODEL_ID": "a/b", "HF_TOKEN": "hf_secret", "LINES": 'one\n"two" $three'}
    assert "hf_secret" not in str(run_command(WITHOUT_GPU, CONTAINER, name="n", port=3000))


def test_what_docker_itself_reads_is_not_replaced_by_the_containers_value() -> None:
    container = dataclasses.replace(CONTAINER, environment=(("PATH", "/opt/bin"), ("DOCKER_HOST", "tcp://x")))
    line = run_command(WITHOUT_GPU, container, name="n", port=3000)
    assert line[9:15] == ["--env", "PATH=/opt/bin", "--env", "DOCKER_HOST=tcp://x", "--env", "DSTACK_GPUS_NUM=0"]
    assert run_environment(container, {"PATH": "/bin"}) == {"PATH": "/bin"}


def test_a_secret_that_docker_itself_would_read_is_refused_without_being_shown() -> None:
    container = dataclasses.replace(CONTAINER, environment=(("DOCKER_TOKEN", Secret("hidden")),))
    with pytest.raises(DockerMissing, match="env DOCKER_TOKEN") as refused:
        run_command(WITHOUT_GPU, container, name="n", port=3000)
    assert "hidden" not in str(refused.value)


def test_a_container_is_removed_whether_it_runs_or_not() -> None:
    assert remove_command(WITHOUT_GPU, "n") == ["/usr/bin/docker", "rm", "--force", "n"]


def test_without_a_docker_command_it_is_said_and_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DockerMissing) as missing:
        find_docker()
    assert str(missing.value) == (
        "--docker runs the configured image with docker, but docker is not installed: install it and start an "
        "engine, or remove --docker to use a small model on this machine's CPU."
    )


def test_a_docker_command_without_an_engine_is_told_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    command = tmp_path / "docker"
    command.write_text("#!/bin/sh\necho Cannot connect to the Docker daemon. >&2\nexit 1\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(DockerMissing) as missing:
        find_docker()
    assert f"This machine has a docker command ({command}), but no docker engine answers: start an engine" in str(
        missing.value
    )
    assert str(missing.value).endswith("docker says: Cannot connect to the Docker daemon.")


@pytest.mark.parametrize(("listed", "gpus"), [("GPU 0: A10G\nGPU 1: A10G\n", 2), ("No devices were found\n", 0)])
def test_gpus_are_counted_by_nvidias_own_tool(
    listed: str, gpus: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, says in (("docker", "28.2.2"), ("nvidia-smi", listed)):
        (tmp_path / name).write_text(f"#!/bin/sh\ncat <<'END'\n{says}\nEND\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert find_docker() == Docker(command=str(tmp_path / "docker"), gpus=gpus)
