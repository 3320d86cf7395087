"""The `pulumi` of machines without one: stacks and their stack config, as pulumi's own words have them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cloud.deployment.state import Held, State
from cloud.pulumi_command.__main__ import main
from commands.property_values import SecretValue
from commands.pulumi_cli import PulumiError
from commands.stack_state import GATEWAY, read_stack, stack_names

Ran = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the state, as make cloud exports it."""
    monkeypatch.setenv("PULUMI_BACKEND_URL", tmp_path.as_uri())
    return tmp_path


@pytest.fixture
def ran(folder: Path, capsys: pytest.CaptureFixture[str]) -> Ran:
    """(status, output, errors) of a command line."""

    def run(*line: str) -> tuple[int, str, str]:
        status = main(list(line))
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def test_stack_config_of_the_readme_is_kept_and_shown(ran: Ran, folder: Path) -> None:
    assert ran("stack", "init", "yellow-cat-1") == (0, "", "")
    assert ran("config", "set", "configuration", "examples/mistral/serve.dstack.yml") == (0, "", "")
    assert ran("config", "set", "gpu", "24GB") == (0, "", "")
    assert ran("config", "set", "--secret", "--path", "env.TOKEN", "hf_example") == (0, "", "")
    assert ran("config", "set", "--path", "env.MODE", "fast") == (0, "", "")
    status, output, _ = ran("config", "--json", "--stack", "organization/servestack/yellow-cat-1", "--non-interactive")
    assert (status, json.loads(output)) == (
        0,
        {
            "servestack:configuration": {"value": "examples/mistral/serve.dstack.yml", "secret": False},
            "servestack:gpu": {"value": "24GB", "secret": False},
            "servestack:env": {"secret": True},
        },
    )
    assert ran("config", "get", "--path", "env.TOKEN") == (0, "hf_example\n", "")
    assert [oct(file.stat().st_mode & 0o777) for file in (folder / "stacks").iterdir()] == ["0o600"]


def test_a_value_is_removed_alone_or_with_all_it_has(ran: Ran) -> None:
    ran("stack", "init", "one")
    ran("config", "set", "--path", "keys[0]", "alice")
    ran("config", "set", "--path", "keys[1]", "bob")
    assert ran("config", "get", "keys") == (0, '["alice", "bob"]\n', "")
    ran("config", "set", "--path", "env.A", "1")
    ran("config", "set", "--path", "env.B", "2")
    ran("config", "rm", "--path", "env.A")
    assert ran("config", "get", "env") == (0, '{"B": "2"}\n', "")
    ran("config", "rm", "env")
    assert ran("config", "get", "env") == (1, "", "error: configuration key 'env' not found for stack 'one'\n")


def test_stacks_are_listed_selected_and_removed(ran: Ran) -> None:
    ran("stack", "init", "one")
    ran("stack", "init", "two")
    assert ran("stack", "ls") == (0, "one\ntwo*\n", "")
    ran("stack", "select", "one")
    assert json.loads(ran("stack", "ls", "--json")[1]) == [
        {"name": "one", "current": True},
        {"name": "two", "current": False},
    ]
    assert ran("stack", "init", "one") == (1, "", "error: stack 'one' already exists\n")
    assert ran("stack", "select", "three") == (
        1,
        "",
        "error: no stack named 'three' found: run `pulumi stack init three`\n",
    )
    ran("stack", "rm", "one", "--yes")
    assert ran("config") == (
        1,
        "",
        "error: no stack is selected: run `pulumi stack select NAME`, or add --stack NAME\n",
    )


def test_the_commands_of_this_project_read_its_state(ran: Ran, folder: Path) -> None:
    ran("stack", "init", "gateway")
    state = State(folder / "state" / "gateway.json")
    urn = "urn:pulumi:gateway::servestack::servestack:gateway:Gateway"
    table = Held(
        urn=f"{urn}$aws:dynamodb/table:Table::gateway-table",
        type="aws:dynamodb/table:Table",
        id="table",
        inputs={},
        outputs={"name": "table"},
        parent=f"{urn}::gateway",
    )
    key = Held(
        urn=f"{urn}$random:index/randomBytes:RandomBytes::key",
        type="random:index/randomBytes:RandomBytes",
        id="key",
        inputs={},
        outputs={"hex": "5ec2e7"},
        parent=f"{urn}::gateway",
    )
    state.keep(table)
    state.keep(key)
    state.export({"url": "https://gateway.models.localhost", "api_keys": SecretValue({"default": "5ec2e7"})})

    def pulumi(arguments: object) -> str:
        status, output, error = ran(*arguments, "--non-interactive")  # type: ignore[misc]
        if status:
            raise PulumiError(error)
        return output

    assert stack_names(pulumi) == ["gateway"]
    read = read_stack("gateway", pulumi)
    assert read.is_gateway
    assert not read.is_service
    assert [one["type"] for one in read.resources][1] == GATEWAY
    assert read.outputs == {"url": "https://gateway.models.localhost", "api_keys": "[secret]"}
    assert read.all_of("aws:dynamodb/table:Table") == [{"name": "table"}]
    assert "5ec2e7" not in ran("stack", "export")[1]
    assert ran("stack", "output", "api_keys", "--show-secrets") == (0, '{"default": "5ec2e7"}\n', "")
    assert ran("stack", "output", "url") == (0, "https://gateway.models.localhost\n", "")
    assert ran("stack", "rm", "gateway", "--yes") == (
        1,
        "",
        "error: stack 'gateway' still has resources: run `pulumi destroy --stack gateway` first\n",
    )


def test_without_the_variables_of_make_cloud_it_says_so(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PULUMI_BACKEND_URL")
    assert ran("stack", "ls") == (
        1,
        "",
        "error: PULUMI_BACKEND_URL names no folder: export the variables that make cloud prints\n",
    )


@pytest.mark.parametrize("command", ["up", "destroy"])
def test_what_changes_a_stack_needs_a_cloud_and_says_so_at_once(
    ran: Ran, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    ran("stack", "init", "one")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    status, _, errors = ran(command, "--yes")
    assert (status, errors) == (
        1,
        "error: no cloud answers at AWS_ENDPOINT_URL, http://127.0.0.1:1 ([Errno 111] Connection refused). Start one "
        "with make cloud, and paste the lines that it prints into this terminal\n",
    )
