"""The parts of the client that need no provider: values on the wire, and where the provider is looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud.deployment.terraform import finding
from cloud.deployment.terraform.values import Attribute, Block, Nested, decoded, encoded, proposed, whole
from commands.property_values import UNKNOWN
from tests.support.requirements import REQUIREMENTS

STRING = Attribute("name", "string", required=True, optional=False, computed=False)
COMPUTED = Attribute("arn", "string", required=False, optional=False, computed=True)
INNER = Nested("rule", Block({"name": STRING, "arn": COMPUTED}, {}), "list", 0, 0)
BLOCK = Block({"name": STRING, "arn": COMPUTED}, {"rule": INNER})


def test_an_object_has_all_its_attributes_and_the_unknown_is_an_extension() -> None:
    config = whole(BLOCK, {"name": UNKNOWN, "rule": [{"name": "a"}]})
    assert config == {"name": UNKNOWN, "arn": None, "rule": [{"name": "a", "arn": None}]}
    assert encoded(UNKNOWN) == b"\xd4\x00\x00"
    assert decoded(encoded(config)) == config


def test_what_is_computed_is_null_before_the_resource_is_made_and_stays_afterwards() -> None:
    config = whole(BLOCK, {"name": "x", "rule": [{"name": "a"}, {"name": "b"}]})
    new = proposed(BLOCK, config, None)
    assert new == {
        "name": "x",
        "arn": None,
        "rule": [{"name": "a", "arn": None}, {"name": "b", "arn": None}],
    }
    prior = {"name": "y", "arn": "arn:1", "rule": [{"name": "a", "arn": "arn:2"}]}
    assert proposed(BLOCK, config, prior) == {
        "name": "x",
        "arn": "arn:1",
        "rule": [{"name": "a", "arn": "arn:2"}, {"name": "b", "arn": None}],
    }


def test_the_provider_is_found_by_the_variable_and_in_terraform_s_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = _installed(tmp_path / "mirror")
    settings = tmp_path / "terraform.rc"
    settings.write_text(f'provider_installation {{ filesystem_mirror {{ path = "{tmp_path / "mirror"}" }} }}\n')
    monkeypatch.setenv(finding.VARIABLE, str(program))
    assert finding.binary() == program
    monkeypatch.setenv(finding.VARIABLE, str(tmp_path / "mirror"))
    assert finding.binary() == program
    monkeypatch.delenv(finding.VARIABLE)
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(settings))
    assert finding.binary() == program
    settings.unlink()
    monkeypatch.setenv("TF_PLUGIN_CACHE_DIR", str(tmp_path / "mirror"))
    assert finding.binary() == program


def test_where_there_is_no_provider_the_reason_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(finding.VARIABLE, str(tmp_path))
    assert REQUIREMENTS["provider-aws"].problem() == (
        f"{finding.VARIABLE} is {tmp_path}, and version 5.100.0 of the provider is not there"
    )


def _installed(folder: Path) -> Path:
    machine = finding.machine()
    program = folder / "registry.terraform.io/hashicorp/aws/5.100.0" / machine / "terraform-provider-aws_v5.100.0_x5"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    return program
