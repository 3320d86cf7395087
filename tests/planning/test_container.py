"""The container: what dstack would run, with the values of its environment."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.configuration import Secret
from infra.planning import PlanError, ServicePlan
from infra.planning.container import join_commands
from infra.planning.container_plan import Container, Mount, RegistryLogin
from tests.planning.conftest import service

Plan = Callable[..., ServicePlan]

SERVICE = "type: service\nimage: i\nport: 80\n"
NODE = {
    "DSTACK_NODE_RANK": "0",
    "DSTACK_NODES_NUM": "1",
    "DSTACK_MASTER_NODE_IP": "127.0.0.1",
    "DSTACK_NODES_IPS": "127.0.0.1",
}
LARGE = {f"V{number}": "v" * 8192 for number in range(128)}
RUN = (("DSTACK_RUN_NAME", "run"), *NODE.items())


def test_every_part_of_a_container_is_planned(plan: Plan) -> None:
    planned = plan(
        """
type: service
image: registry.example.com/i:1
commands: [a, b]
env: {ONE: "1", HF_TOKEN: hf_x}
port: "8000:80"
resources: {shm_size: 1.5GB}
working_dir: /work
user: nobody:100
privileged: true
registry_auth: {username: u, password: p}
volumes: ["/mnt/models:/data", {instance_path: /a, path: /b, optional: true}]
"""
    ).container
    assert planned == Container(
        image="registry.example.com/i:1",
        entrypoint="/bin/sh",
        arguments=("-i", "-c", "a && b"),
        environment=(*RUN, ("DSTACK_WORKING_DIR", "/work"), ("ONE", "1"), ("HF_TOKEN", Secret("hf_x"))),
        port=80,
        shm_size_mb=1536,
        working_dir="/work",
        user="nobody:100",
        privileged=True,
        terminal=True,
        registry_login=RegistryLogin(username="u", password=Secret("p")),
        mounts=(Mount(instance_path="/mnt/models", path="/data"), Mount(instance_path="/a", path="/b")),
        hub_cache_paths=("/root/.cache/huggingface",),
        gpu_count_variables=("DSTACK_GPUS_NUM", "DSTACK_GPUS_PER_NODE"),
    )


@pytest.mark.parametrize(
    ("keys", "command"),
    [
        ("", ()),
        ("commands: [a]", ("/bin/sh", "-i", "-c", "a")),
        ("commands: ['  a b ', 'serve &', 'c']", ("/bin/sh", "-i", "-c", "a b && { serve & } && c")),
        ('commands: ["a\\nb\\n", c]', ("/bin/sh", "-i", "-c", "a\nb && c")),
        ("entrypoint: python -m x 'a b'", ("python", "-m", "x", "a b")),
        ("entrypoint: tini --\ncommands: [a b, c]", ("tini", "--", "a b", "c")),
        ("entrypoint: ''\ncommands: [a b, c]", ("a b", "c")),
    ],
)
def test_entrypoint_and_commands_make_the_argument_vector_that_dstack_makes(
    plan: Plan, keys: str, command: tuple[str, ...]
) -> None:
    """The vectors are dstack's own (`ServiceJobConfigurator._commands`); none is the image's own command."""
    assert plan(f"{SERVICE}{keys}\n").container.command == command


def test_a_failing_command_stops_those_after_it_and_one_in_the_background_does_not() -> None:
    line = join_commands(["echo a", "sleep 0 &", "false", "echo never"])
    ran = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, timeout=500)
    assert (ran.stdout, ran.returncode) == ("a\n", 1)


def test_commands_have_a_terminal_so_that_a_background_command_comes_back(tmp_path: Path) -> None:
    """dstack's form for Ollama: without a terminal, a shell has no `fg`. In the background, nothing can read what is
    typed, so the server waits there for `fg`."""
    program = tmp_path / "ollama"
    program.write_text('#!/bin/sh\necho "$1"\nif [ "$1" = serve ]; then read -r line; echo "served $line"; fi\n')
    program.chmod(0o755)
    line = join_commands(["ollama serve &", "ollama pull llama3", "fg"])
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    status, output = in_a_terminal(["/bin/sh", "-i", "-c", line], environment, typed=b"typed\n")
    said = {line: output.splitlines().count(line) for line in ("serve", "pull", "served typed")}
    assert (status, said) == (0, {"serve": 1, "pull": 1, "served typed": 1}), output
    without = subprocess.run(
        ["/bin/sh", "-i", "-c", line], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=500, start_new_session=True,
    )  # fmt: skip
    assert without.returncode != 0


@pytest.mark.parametrize(
    ("keys", "terminal"),
    [("commands: [a]", True), ("", False), ("entrypoint: a", False), ("entrypoint: a\ncommands: [b]", False)],
)
def test_a_terminal_is_for_commands_that_a_shell_runs(plan: Plan, keys: str, terminal: bool) -> None:
    assert plan(f"{SERVICE}{keys}\n").container.terminal is terminal


def test_a_variable_of_dstack_is_the_configuration_s_where_it_sets_it(plan: Plan) -> None:
    container = plan(f"{SERVICE}env: [DSTACK_GPUS_NUM=2, DSTACK_RUN_NAME=other]\n").container
    assert dict(container.environment) == {
        **NODE,
        "DSTACK_RUN_NAME": "other",
        "DSTACK_GPUS_NUM": "2",
    }
    assert container.gpu_count_variables == ("DSTACK_GPUS_PER_NODE",)


def test_a_bare_name_takes_the_caller_s_value_and_is_a_secret(plan: Plan) -> None:
    value = "line one\nline 'two' \"$HOME\" %d = é"
    container = plan(f"{SERVICE}env: [A=1, B, C=]\n", environment={"B": value, "A": "not this"}).container
    assert container.environment == (*RUN, ("A", "1"), ("B", Secret(value)), ("C", ""))


def test_an_empty_value_is_no_secret_since_parameter_store_takes_none(plan: Plan) -> None:
    container = plan(f"{SERVICE}env: [B, HF_TOKEN=]\n", environment={"B": ""}).container
    assert container.environment == (*RUN, ("B", ""), ("HF_TOKEN", ""))


def test_missing_values_are_named_together_with_both_remedies(plan: Plan) -> None:
    with pytest.raises(PlanError) as caught:
        plan(f"{SERVICE}env:\n  - A=1\n  - B\n  - C\n")
    assert [(problem.where, problem.line) for problem in caught.value.problems] == [("env.B", 6), ("env.C", 7)]
    assert caught.value.problems[0].rule == "B has no value in the configuration, and your environment does not set it"
    for remedy in ("export B=…", "--env B=…", "pulumi config set --secret --path env.B …"):
        assert remedy in caught.value.problems[0].remedy


@pytest.mark.parametrize(
    ("value", "fits"), [("x" * 8192, True), ("x" * 8193, False), ("é" * 4097, False), ("\0", False), ("\udcff", False)]
)
def test_a_value_is_at_most_what_can_be_carried(plan: Plan, value: str, fits: bool) -> None:
    arguments = {"text": f"{SERVICE}env: [B]\n", "environment": {"B": value}}
    if fits:
        assert dict(plan(**arguments).container.environment)["B"] == Secret(value)
        return
    with pytest.raises(PlanError) as caught:
        plan(**arguments)
    assert value not in str(caught.value)


def test_an_empty_entrypoint_without_commands_leaves_nothing_to_run(plan: Plan) -> None:
    with pytest.raises(PlanError, match="nothing to run"):
        plan(f"{SERVICE}entrypoint: ''\n")


def test_no_value_and_no_password_is_in_a_plan_s_repr(plan: Plan) -> None:
    planned = plan(
        "type: service\nimage: i\nport: 80\nenv: [PLAIN=in-the-file, HF_TOKEN=hf_in-the-file, BARE]\n"
        "registry_auth: {username: u, password: the-password}\n"
        "model: {name: m, chat_template: T, eos_token: E, upstream_api_key: the-key}\n",
        environment={"BARE": "from-outside"},
    )
    shown = f"{planned!r} {planned}"
    for secret in ("in-the-file", "the-password", "the-key", "from-outside"):
        assert secret not in shown
    assert planned.upstream_api_key == Secret("the-key")


def test_an_equal_configuration_makes_an_equal_plan(plan: Plan) -> None:
    text = f"{SERVICE}env: [A=1]\nmodel: {{name: m, chat_template: T, eos_token: E}}\n"
    assert plan(text) == plan(text)
    assert service(text) == service(text)


@pytest.mark.parametrize(
    ("mounted", "left"),
    [
        ("/data", ("/root/.cache/huggingface",)),
        ("//data/", ("/root/.cache/huggingface",)),
        ("/data/models", ("/data", "/root/.cache/huggingface")),
        ("/database", ("/data", "/root/.cache/huggingface")),
        ("/root/.cache", ("/data",)),
        ("/root", ("/data",)),
    ],
)
def test_the_hub_s_cache_is_not_mounted_over_what_the_user_mounts(
    plan: Plan, mounted: str, left: tuple[str, ...]
) -> None:
    assert plan(f"{SERVICE}volumes: ['/srv:{mounted}']\n").container.hub_cache_paths == left


@pytest.mark.parametrize(
    ("keys", "where", "rule"),
    [
        (
            "volumes: ['/a:/x', '/b:/y', '/c://x/']",
            "volumes[2].path",
            "a path of the container can be mounted only once",
        ),
        ("entrypoint: ['']", "entrypoint", "leaves nothing to run"),
        (f"commands: ['echo {'a' * 131_067}']", "commands", "at most 131,071 bytes"),
        (f"entrypoint: ['x', '{'a' * 131_072}']", "entrypoint", "at most 131,071 bytes"),
        (f"env: [{', '.join(LARGE)}]", "env", "at most 1,048,576 bytes"),
    ],
    ids=["volumes", "empty entrypoint", "commands", "entrypoint", "env"],
)
def test_what_docker_or_linux_would_not_start_is_refused(plan: Plan, keys: str, where: str, rule: str) -> None:
    with pytest.raises(PlanError) as caught:
        plan(f"{SERVICE}{keys}\n", environment=LARGE)
    (problem,) = caught.value.problems
    assert problem.where == where
    assert rule in problem.rule


def in_a_terminal(command: list[str], environment: dict[str, str], *, typed: bytes) -> tuple[int, str]:
    """Run a command with a terminal that it controls and in which this is typed, and return its status and output."""
    child, terminal = pty.fork()
    if child == 0:
        os.execve(command[0], command, environment)
    os.write(terminal, typed)
    output = b""
    try:
        while read := os.read(terminal, 1024):
            output += read
    except OSError:  # the terminal's other end is closed
        pass
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), output.decode()
