"""The values of environment variables: byte for byte in the container's environment, and nowhere else."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from infra.configuration import Secret
from infra.planning import PlanError, ServicePlan, plan_service, unresolved
from infra.planning.environment import is_read_on_the_way
from tests.boot.machine import INSTANCE, Call, Machine
from tests.boot.planned import SERVICE
from tests.planning.conftest import service

Boots = Callable[..., Machine]

HARD = "one\n\"two\" 'three' $HOME ${HOME} `id` $(id) %d %% a=b \\ \\n \t !! ~ * é 日本 \U0001f600 {{ x }} \r\n\n"
LOCALS = re.compile(r"^\s*local (?:-A )?([\w ]+)$", re.MULTILINE)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200)
AWKWARD = st.text(st.sampled_from("\n\r\t '\"$`%=\\{}!#&;|<>()[]*?~é日a"), max_size=60)
VALUES = st.lists(st.one_of(TEXTS, AWKWARD), min_size=1, max_size=10)


@given(plain=VALUES, secrets=VALUES)
@example(plain=["", " ", "\n", HARD], secrets=["", " ", "\n", HARD])
@example(plain=["x" * 8192, "é" * 4096], secrets=["x" * 8192, "{" * 8192, "\n" * 8192, "日" * 2730])
@example(plain=["base64:"], secrets=["base64:eA==", "-n", "--help", "\\", "$'", "'"])
@settings(max_examples=10)
def test_values_arrive_byte_for_byte(plain: list[str], secrets: list[str]) -> None:
    values = {f"PLAIN_{index}": value for index, value in enumerate(plain)}
    hidden = {f"SECRET_{index}": value for index, value in enumerate(secrets)}
    given = arrives({**values, **{name: Secret(value) for name, value in hidden.items()}})
    assert {name: given.get(name) for name in (*values, *hidden)} == {
        name: value.encode() for name, value in {**values, **hidden}.items()
    }


def test_variables_of_bash_and_docker_reach_the_container_and_not_what_starts_it() -> None:
    listed = subprocess.run(
        ["/bin/bash", "--norc", "-c", "compgen -v; compgen -e"], capture_output=True, text=True, check=True, env={}
    )
    names = sorted({*listed.stdout.split(), "DOCKER_HOST", "LD_PRELOAD", "GODEBUG", "HTTP_PROXY", "TMPDIR", "TZ"})
    assert {"PATH", "UID", "BASHOPTS", "_", "PWD", "SHLVL"} <= set(names)
    values = {name: f"value of {name} 'é'" for name in names}
    call = docker_run(planned(values))
    inline = [argument for argument in call.arguments if "=value of" in argument]
    assert inline == [f"{name}={values[name]}" for name in values if is_read_on_the_way(name)]
    exported = [name for name in names if not is_read_on_the_way(name)]
    assert {name: call.environment.get(name) for name in exported} == {name: values[name].encode() for name in exported}


def test_variables_may_have_any_name_that_the_script_itself_uses(machine: Boots) -> None:
    script = machine().script
    names = sorted({*re.findall(r"\b([A-Za-z_]\w*)\+?=", script), *" ".join(LOCALS.findall(script)).split()})
    assert {"IMAGE", "RUN", "VARIABLES", "INSTANCE", "options", "words", "layers"} <= set(names)
    values = {name: f"value of {name}" for name in names if not is_read_on_the_way(name)}
    for hidden in (False, True):
        given = docker_run(planned({name: Secret(value) if hidden else value for name, value in values.items()}))
        assert {name: given.environment.get(name) for name in values} == {
            name: value.encode() for name, value in values.items()
        }
        assert f"awslogs-stream={INSTANCE}/container" in given.arguments
        assert given.arguments[-1] == "registry.example.com/tgi:3"


@pytest.mark.parametrize("name", ["PATH", "HOME", "DOCKER_HOST", "LD_PRELOAD", "UID", "BASH_ENV", "_"])
def test_a_secret_cannot_have_a_name_that_is_read_on_the_way(name: str) -> None:
    with pytest.raises(PlanError) as caught:
        planned({name: Secret("hidden")})
    assert [problem.where for problem in caught.value.problems] == [f"env.{name}"]
    assert "hidden" not in str(caught.value)


def test_secrets_are_in_the_container_s_environment_and_nowhere_else(machine: Boots) -> None:
    boot = machine(
        "env: [HF_TOKEN, LONG]\nregistry_auth: {username: '${{ env.HF_TOKEN }}', password: '${{ env.LONG }}'}\n",
        HF_TOKEN="hf_hidden",
        LONG="hidden" * 1000,
    )
    boot.answer("curl-health", "printf 200")
    process = boot.start("serve")
    boot.wait_until(lambda: "servestack: serving" in boot.output)
    boot.container_ends(1)
    process.wait()
    for call in boot.calls():
        held = {name for name, value in call.environment.items() if b"hidden" in value}
        assert held == ({"HF_TOKEN", "LONG"} if call.key == "docker-run" else set()), call.key
        assert "hidden" not in str(call.arguments) or call.key == "docker-login", call.key
    assert "hidden" not in boot.output
    left = [file for file in boot.file_system.rglob("*") if file.is_file() and b"hidden" in file.read_bytes()]
    assert left == []
    assert "hidden" not in boot.script


def arrives(values: Mapping[str, str | Secret]) -> dict[str, bytes]:
    """The environment of the docker command that starts the container."""
    return docker_run(planned(values)).environment


def docker_run(plan: ServicePlan) -> Call:
    with tempfile.TemporaryDirectory(prefix="boot") as folder:
        boot = Machine(Path(folder) / "machine", plan)
        boot.answer("docker-wait", "printf '1\\n'")
        try:
            assert boot.run("serve") == 75, boot.output
            return boot.call("docker-run")
        finally:
            boot.end()


def planned(values: Mapping[str, str | Secret]) -> ServicePlan:
    configuration = service(SERVICE).changed({"env": dict(values)})
    return plan_service(configuration, run="run", environment={}, resolve=unresolved)
