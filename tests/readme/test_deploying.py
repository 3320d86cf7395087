"""The way to AWS that pages show: its stacks deploy, the CLI takes its commands, and its tables are complete."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from botocore.exceptions import UnknownServiceError

from infra.configuration import GatewayConfiguration, GatewaySettings, ServiceSettings, load, read_settings
from tests.components.deploying import Account
from tests.readme.markdown import PAGES, blocks, first_column, inline_code, rows
from tests.support.examples import SERVICES
from tests.support.processes import ROOT
from tests.support.requirements import require

KINDS = {"gateway": GatewaySettings, "service": ServiceSettings}
KEY = "ss-example"
WALKS = {"README.md": "unset unset", "docs/deploying.md": f"https://gateway.example.com/v1 {KEY}"}
"""Pages whose commands, one after the other, deploy a gateway and a service; the address and the key that they set."""
PROVIDER = {"aws:profile"}
"""Settings of Pulumi's AWS provider that a stack keeps (`infra/stack.py`)."""
CUSTOM = {("ssm", "start-session")}
"""Commands of the AWS CLI that are its own, and no operation of AWS's (`start-session` opens the session too)."""


@dataclass
class Stack:
    """A stack as a page makes it."""

    config: dict[str, str] = field(default_factory=dict[str, str])
    secrets: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])

    @property
    def kind(self) -> str:
        return "gateway" if isinstance(load(self.config["configuration"]), GatewayConfiguration) else "service"


def commands(page: str, *programs: str) -> list[str]:
    """The commands of these programs on a page, in order."""
    written = [command for block in blocks(page, "shell") for command in block.commands]
    return [command for command in written if command.split()[0] in programs]


def settings(page: str) -> list[str]:
    """The commands of a page that change stack config."""
    return [command for command in commands(page, "pulumi") if command.startswith("pulumi config ")]


def stacks(page: str) -> Mapping[str, Stack]:
    """What a page's `pulumi stack init` and `pulumi config set` make, those after the first deployment included."""
    made: dict[str, Stack] = {}
    selected = Stack()
    for command in commands(page, "pulumi"):
        match shlex.split(command)[1:]:
            case ["stack", "init", name]:
                selected = made[name] = Stack()
            case ["stack", "select", name]:
                selected = made[name]
            case ["config", "set", "--secret", "--path", path, value]:
                key, name = path.split(".")
                selected.secrets.setdefault(key, {})[name] = value
            case ["config", "set", key, value]:
                selected.config[key] = value
            case _:
                continue
    return made


@pytest.mark.parametrize("page", WALKS)
def test_the_stacks_of_a_page_deploy_and_have_the_outputs_that_the_tables_list(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    account = Account(tmp_path)
    listed: dict[str, set[str]] = {}
    there: dict[str, set[str]] = {}
    for name, stack in stacks(page).items():
        listed[stack.kind] = set(first_column("docs/deploying.md", f"output of a {stack.kind}"))
        there[stack.kind] = set(account.up(name, stack.config, secrets=stack.secrets).exports)
    assert listed == there
    assert set(there) == set(KINDS)


def test_every_service_in_examples_is_in_the_table() -> None:
    cells = [row[0] for row in rows("docs/deploying.md", "configuration")]
    listed = {link for cell in cells for link in re.findall(r"\(\.\./(.+?)\)", cell)}
    assert listed == {file.relative_to(ROOT).as_posix() for file in SERVICES}


def test_every_key_of_stack_config_is_in_the_table() -> None:
    assert set(first_column("docs/stack-config.md", "key")) == _words()


def test_the_defaults_in_the_table_of_stack_config_are_the_program_s() -> None:
    said = {key: cells[-1] for cells in rows("docs/stack-config.md", "key") for key in re.findall(r"`(.+?)`", cells[0])}
    wrong: list[str] = []
    for name, kind in KINDS.items():
        for key, info in kind.model_fields.items():
            if key != "configuration" and info.default is not None and (text := re.search(r"`(.+?)`", said[key])):
                read = read_settings({"configuration": "x", key: text[1]}, name)
                wrong += [] if getattr(read, key) == info.default else [f"{key}: {info.default}"]
    assert wrong == []
    assert {key for key, default in said.items() if default == "required"} == {"configuration"}


@pytest.mark.parametrize("page", PAGES)
def test_every_word_of_stack_config_that_a_page_sets_exists(page: str) -> None:
    written = [*inline_code(page), *(line for block in blocks(page, "shell") for line in block.commands)]
    unknown: list[str] = []
    for command in written:
        if command.startswith("pulumi config set "):
            key = next(word for word in command.split()[3:] if not word.startswith("-"))
            unknown += [] if key.partition(".")[0] in _words() | PROVIDER else [command]
    assert unknown == []


@pytest.mark.engine
@pytest.mark.parametrize("page", WALKS)
def test_the_real_cli_takes_the_commands_of_a_page(page: str, tmp_path: Path) -> None:
    require("pulumi")
    project = tmp_path / "project"
    shutil.copytree(ROOT / "examples", project / "examples")
    shutil.copy(ROOT / "Pulumi.yaml", project)
    (tmp_path / "state").mkdir()
    for name in stacks(page):
        (tmp_path / f"{name}.json").write_text(json.dumps(_state(name)))
    deployed = f"pulumi stack import --file {shlex.quote(str(tmp_path))}/$(pulumi stack --show-name).json"
    # --local is the home that the system knows, whatever HOME says.
    instead = {"pulumi up": deployed, "pulumi login --local": f"pulumi login {(tmp_path / 'state').as_uri()}"}
    script = [
        instead.get(command, command)
        for command in commands(page, "pulumi", "export")
        if not command.startswith("pulumi destroy")
    ]
    told = [
        *script,
        'echo "${OPENAI_BASE_URL-unset} ${OPENAI_API_KEY-unset}"',
        "pulumi config get auth",
        "pulumi config --json",
    ]
    shown, brace, configured = _by_the_cli(project, told).partition("{")
    assert "\na command\n" in shown
    assert shown.endswith(f"\n{WALKS[page]}\nfalse\n")
    assert {name: value["secret"] for name, value in json.loads(brace + configured).items()} == {
        "servestack:auth": False,
        "servestack:configuration": False,
        "servestack:env": True,
        "servestack:gpu": False,
    }


@pytest.mark.engine
@pytest.mark.parametrize("page", [page for page in PAGES if page not in WALKS and settings(page)])
def test_the_real_cli_takes_every_setting_of_a_page(page: str, tmp_path: Path) -> None:
    require("pulumi")
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    (tmp_path / "state").mkdir()
    named = {name for command in settings(page) for name in re.findall(r"--stack (\S+)", command)}
    made = [f"pulumi stack init {name}" for name in sorted(named | {"selected"})]
    _by_the_cli(tmp_path, [f"pulumi login {(tmp_path / 'state').as_uri()}", *made, *settings(page)])


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_the_aws_cli_are_operations_of_aws_with_their_parameters(page: str) -> None:
    written = [*inline_code(page), *(line for block in blocks(page, "shell") for line in block.commands)]
    wrong = [problem for line in written if line.startswith("aws ") for problem in _aws_problems(shlex.split(line)[1:])]
    assert wrong == []


def _by_the_cli(project: Path, script: list[str]) -> str:
    """What the commands print, one after the other in the project's folder; each has to succeed."""
    done = subprocess.run(
        ["bash", "-euc", "\n".join(script)],
        cwd=project,
        env={
            "PATH": os.environ["PATH"],
            "PULUMI_HOME": str(project / "home"),
            "PULUMI_CONFIG_PASSPHRASE": "a passphrase of the tests",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        },
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _words() -> set[str]:
    return {name for kind in KINDS.values() for name in kind.model_fields}


def _state(name: str) -> dict[str, Any]:
    """A stack as `pulumi stack import` reads it, that has nothing but outputs."""
    outputs: dict[str, Any] = {"curl": "a command", "openai_base_url": "https://gateway.example.com/v1"}
    if name == "gateway":
        outputs["api_keys"] = {"default": KEY}
    urn = f"urn:pulumi:{name}::servestack::pulumi:pulumi:Stack::servestack-{name}"
    stack = {"urn": urn, "custom": False, "type": "pulumi:pulumi:Stack", "outputs": outputs}
    return {"version": 3, "deployment": {"manifest": {"time": "2026-01-01T00:00:00Z"}, "resources": [stack]}}


def _aws_problems(words: list[str]) -> list[str]:
    """What is wrong with a command line of the AWS CLI, by AWS's own models of its API."""
    service, operation, *rest = words
    if (service, operation) in CUSTOM:
        return []
    try:
        model = botocore.session.get_session().get_service_model(service)
    except UnknownServiceError:
        return [f"aws {service}: no such service"]
    names = {xform_name(name, "-"): name for name in model.operation_names}
    if operation not in names:
        return [f"aws {service} {operation}: no such operation"]
    shape = model.operation_model(names[operation]).input_shape
    taken = {xform_name(name, "-") for name in (shape.members if shape else {})} | {"region", "query", "output"}
    flags = [word.removeprefix("--") for word in rest if word.startswith("--")]
    return [f"aws {service} {operation}: no parameter --{flag}" for flag in flags if flag not in taken]
