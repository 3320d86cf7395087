"""The real `pulumi` command, with our plugins in place of Pulumi's own."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pulumi import automation

from cloud.deployment.found import write_plugins
from tests.cloud.control_plane.conftest import Running
from tests.support.requirements import require

PASSWORD = "p4ssw0rd of the tests"
SAMPLE = Path(__file__).parent / "sample"


@pytest.fixture
def stack(plane: Running, tmp_path: Path) -> Iterator[automation.Stack]:
    require("pulumi")
    shutil.copytree(SAMPLE, tmp_path / "project")
    project = yaml.safe_load((SAMPLE / "Pulumi.yaml").read_text())
    project["runtime"] = {"name": "python", "options": {"virtualenv": sys.prefix}}
    (tmp_path / "project" / "Pulumi.yaml").write_text(yaml.safe_dump(project))
    write_plugins(tmp_path / "plugins")
    (tmp_path / "state").mkdir()
    environment = {
        **plane.environment,
        "PATH": f"{tmp_path / 'plugins'}{os.pathsep}{os.environ['PATH']}",
        "PULUMI_BACKEND_URL": (tmp_path / "state").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "a passphrase of the tests",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }
    options = automation.LocalWorkspaceOptions(pulumi_home=str(tmp_path / "home"), env_vars=environment)
    made = automation.create_stack("small", work_dir=str(tmp_path / "project"), opts=options)
    made.set_config("password", automation.ConfigValue(PASSWORD, secret=True))
    yield made
    made.destroy()


def test_the_real_engine_deploys_through_our_plugins(plane: Running, stack: automation.Stack, tmp_path: Path) -> None:
    preview = stack.preview()
    assert preview.change_summary == {"create": 5}
    first = stack.up()
    assert first.summary.resource_changes == {"create": 5}
    outputs = {name: one.value for name, one in first.outputs.items()}
    assert (outputs["account"], outputs["parameter"]) == ("123456789012", PASSWORD)
    assert outputs["arn"] == f"arn:aws:dynamodb:eu-central-1:123456789012:table/{outputs['table']}"
    assert {name for name, one in first.outputs.items() if one.secret} == {"key", "parameter"}
    (state,) = (tmp_path / "state").rglob("small.json")
    assert PASSWORD not in state.read_text()

    assert stack.up().summary.resource_changes == {"same": 5}
    assert stack.refresh().summary.resource_changes == {"same": 5}
    stack.set_config("key", automation.ConfigValue("other"))
    replaced = stack.up()
    assert replaced.summary.resource_changes == {"same": 4, "replace": 1}
    client = plane.client("dynamodb", "eu-central-1")
    table = replaced.outputs["table"].value
    assert client.list_tables()["TableNames"] == [table]
    assert client.describe_table(TableName=table)["Table"]["KeySchema"][0]["AttributeName"] == "other"
    stack.destroy()
    assert client.list_tables()["TableNames"] == []


def test_what_the_provider_refuses_is_shown_by_the_engine(stack: automation.Stack) -> None:
    stack.set_config("type", automation.ConfigValue("Nothing"))
    with pytest.raises(automation.CommandError) as failed:
        stack.up()
    assert 'type: expected type to be one of ["String" "StringList" "SecureString"], got Nothing' in str(failed.value)
    assert PASSWORD not in str(failed.value)
