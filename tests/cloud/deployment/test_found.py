"""Which way of creating resources a machine has."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from cloud.deployment.found import Found, found, write_plugins
from cloud.deployment.terraform import finding

OURS = "HashiCorp's AWS provider 5.100.0 makes the resources"
NOWHERE = f"{finding.VARIABLE} is /nowhere, and version 5.100.0 of the provider is not there"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing but what is written into the folder."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(finding.VARIABLE, "/nowhere")
    return tmp_path


def _program(path: Path) -> str:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


def test_with_nothing_the_reasons_say_what_is_missing(machine: Path) -> None:
    assert found() == Found("none", f"the pulumi command is not on PATH, and {NOWHERE}")


def test_hashicorp_s_provider_alone_is_enough(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(finding.VARIABLE, _program(machine / "provider"))
    assert found() == Found("in process", f"the pulumi command is not on PATH: {OURS}")


def test_the_pulumi_command_is_used_with_our_plugins_or_with_its_own(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(finding.VARIABLE, _program(machine / "provider"))
    _program(machine / "bin" / "pulumi")
    assert found().way == "in process", "without its language plugin, it runs no program"
    _program(machine / "bin" / "pulumi-language-python")
    assert found() == Found("pulumi with our plugins", f"Pulumi's plugin aws is not installed: {OURS}")
    write_plugins(machine / "bin")
    assert found() == Found("pulumi with our plugins", f"Pulumi's plugin aws is not installed: {OURS}"), (
        "ours are there"
    )
    _program(machine / "bin" / "pulumi-resource-aws")
    assert found() == Found("pulumi with our plugins", f"Pulumi's plugin random is not installed: {OURS}")
    _program(machine / "bin" / "pulumi-resource-random")
    assert found() == Found("pulumi", "the pulumi command and its own plugins are installed")


def test_pulumi_without_plugins_downloads_its_own_where_there_is_no_other_provider(machine: Path) -> None:
    for name in ("pulumi", "pulumi-language-python"):
        _program(machine / "bin" / name)
    says = "Pulumi's plugin aws is not installed: pulumi downloads it at the first `pulumi up`"
    assert found() == Found("pulumi", says)


def test_our_plugins_are_programs(tmp_path: Path) -> None:
    write_plugins(tmp_path / "plugins")
    written = sorted(path.name for path in (tmp_path / "plugins").iterdir())
    assert written == ["pulumi-resource-aws", "pulumi-resource-random"]
    assert all(stat.S_IMODE((tmp_path / "plugins" / name).stat().st_mode) & stat.S_IXUSR for name in written)
    assert all(os.access(tmp_path / "plugins" / name, os.X_OK) for name in written)
