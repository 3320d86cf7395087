"""A service without an image: dstack's images, and what they do before the user's commands."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.configuration import ServiceSettings, loads
from infra.configuration.service import ServiceConfiguration
from infra.planning import PlanError, ServicePlan
from infra.planning.base_image import start_commands
from infra.planning.container import join_commands

Plan = Callable[..., ServicePlan]

BASE = "type: service\nport: 80\ncommands: [serve]\n"
UV = """#!/bin/bash
echo "uv $* with ${UV_PYTHON_INSTALL_DIR:-no folder}" >>"$LOG"
if [[ $* == *--no-python-downloads* && $INSTALLED != yes ]]; then exit 2; fi
venv=$DSTACK_VENV_DIR/bin
mkdir "$venv" && echo 'IN_VENV=yes' >"$venv/activate"
"""
MADE = "uv venv --quiet --seed --prompt dstack --python 3.12 {venv}"


@pytest.mark.parametrize(
    ("keys", "base", "image", "python"),
    [
        ("", None, "dstackai/base:0.16-base-ubuntu24.04", "3.11"),
        ("python: 3.13", None, "dstackai/base:0.16-base-ubuntu24.04", "3.13"),
        ("nvcc: true", None, "dstackai/base:0.16-devel-ubuntu24.04", "3.11"),
        ("nvcc: true", "r.example.com/base:2", "r.example.com/base:2-devel-ubuntu24.04", "3.11"),
    ],
)
def test_the_base_image_runs_in_bash_with_a_version_of_python(
    plan: Plan, keys: str, base: str | None, image: str, python: str
) -> None:
    container = plan(f"{BASE}{keys}\n", settings=ServiceSettings(configuration="c", base_image=base)).container
    assert (container.image, container.entrypoint, container.terminal) == (image, "/bin/bash", True)
    assert container.privileged is False
    assert f"--python {python} " in container.arguments[-1]
    assert container.arguments[-1].endswith(" && . $DSTACK_VENV_DIR/bin/activate && serve")


def test_docker_starts_before_the_commands_in_a_privileged_container(plan: Plan) -> None:
    container = plan(f"{BASE}docker: true\n").container
    assert (container.image, container.privileged) == ("dstackai/dind", True)
    assert container.command == ("/bin/bash", "-i", "-c", "start-dockerd && serve")


@pytest.mark.parametrize(
    ("written", "shell"), [("sh", "/bin/sh"), ("bash", "/bin/bash"), ("/usr/bin/zsh", "/usr/bin/zsh")]
)
def test_the_shell_of_the_commands_can_be_chosen(plan: Plan, written: str, shell: str) -> None:
    assert plan(f"{BASE}image: i\nshell: {written}\n").container.command == (shell, "-i", "-c", "serve")
    assert plan(f"{BASE}shell: {written}\n").container.entrypoint == shell


def test_an_entrypoint_runs_in_the_base_image_without_a_shell(plan: Plan) -> None:
    assert plan(f"{BASE}entrypoint: python -m\n").container.command == ("python", "-m", "serve")


@pytest.mark.parametrize(
    ("installed", "calls"),
    [
        ("yes", [f"{MADE} --no-python-downloads with /opt/uv/python"]),
        ("no", [f"{MADE} --no-python-downloads with /opt/uv/python", f"{MADE} with no folder"]),
    ],
)
def test_the_commands_run_in_an_environment_of_the_installed_python_or_else_of_a_downloaded_one(
    tmp_path: Path, installed: str, calls: list[str]
) -> None:
    """The real start in a real bash; uv and sudo are stubs, because the image has them."""
    venv, stubs, log = tmp_path / "dstack" / "venv", tmp_path / "stubs", tmp_path / "log"
    stubs.mkdir()
    for name, text in (("uv", UV), ("sudo", '#!/bin/bash\nexec "$@"\n')):
        (stubs / name).write_text(text)
        (stubs / name).chmod(0o755)
    configuration = loads(f"{BASE}python: 3.12\n", "c")
    assert isinstance(configuration, ServiceConfiguration)
    line = join_commands((*start_commands(configuration), 'echo "$IN_VENV $DSTACK_VENV_DIR"'))
    environment = {"PATH": f"{stubs}:{os.environ['PATH']}", "LOG": str(log), "INSTALLED": installed}
    command = ["bash", "-c", line.replace("/dstack/venv", str(venv))]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"yes {venv}\n", "")
    assert log.read_text().splitlines() == [call.format(venv=venv) for call in calls]


def test_the_plan_says_which_image_runs_and_what_docker_hub_limits(plan: Plan) -> None:
    limit = (
        "The image is on Docker Hub, which limits how many images an address can pull without a login. If that stops a "
        "replica, add registry_auth with an account of Docker Hub."
    )
    made = "No image is set: dstack's base image runs, with Python 3.11 (dstackai/base:0.16-base-ubuntu24.04)."
    assert _about_the_image(plan(BASE)) == [made, limit]
    login = "registry_auth: {username: u, password: p}\n"
    assert _about_the_image(plan(f"{BASE}{login}")) == [made]
    own = ServiceSettings(configuration="c", base_image="r.example.com/base:2")
    assert _about_the_image(plan(BASE, settings=own)) == [
        "No image is set: dstack's base image runs, with Python 3.11 (r.example.com/base:2-base-ubuntu24.04)."
    ]
    assert _about_the_image(plan(f"{BASE}docker: true\n")) == [
        "docker is true: the container is privileged and has a docker of its own (dstackai/dind).",
        limit,
    ]
    assert _about_the_image(plan(f"{BASE}image: i\n")) == []


@pytest.mark.parametrize("keys", ["image: i", "docker: true"])
def test_a_base_image_that_nothing_runs_in_is_refused(plan: Plan, keys: str) -> None:
    settings = ServiceSettings(configuration="c", base_image="r.example.com/base:2")
    with pytest.raises(PlanError, match="base_image is for services that run in dstack's base image") as caught:
        plan(f"{BASE}{keys}\n", settings=settings)
    assert [problem.where for problem in caught.value.problems] == ["stack config base_image"]


def _about_the_image(made: ServicePlan) -> list[str]:
    return [note for note in made.notes if "image runs" in note or "docker of its own" in note or "Docker Hub" in note]
