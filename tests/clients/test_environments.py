"""Environments of clients: made once, made again when their packages change, and refused with a reason."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.clients import environments


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of a client without packages, `some`."""
    folder = tmp_path / "clients" / "some"
    folder.mkdir(parents=True)
    (folder / "requirements.txt").write_text("")
    monkeypatch.setattr(environments, "HERE", folder.parent)
    monkeypatch.setattr(environments, "CACHE", tmp_path / "cache")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    # Nothing of this machine's way to its package index, which can have other words for what is missing.
    monkeypatch.setattr(environments, "proxies", dict)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    return folder


def test_an_environment_is_made_once_and_again_after_a_change(
    client: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = environments.install("some")
    assert capsys.readouterr().err == "Installing some into .cache/clients/some (once) …\n"
    (made / "mine").touch()
    with monkeypatch.context() as changed:
        changed.setenv("PATH", "")
        assert environments.install("some") == made
    assert ((made / "mine").exists(), capsys.readouterr().err) == (True, "")
    (client / "requirements.txt").write_text("# another version\n")
    assert environments.problem_with("some") is None
    assert (made / "bin" / "python").exists()
    assert not (made / "mine").exists()


def test_an_environment_without_its_packages_is_not_taken_for_made(client: Path) -> None:
    (client / "requirements.txt").write_text("no-such-package-of-servestack==1\n")
    why = "pip could not download it: there is no connection to its registry"
    assert environments.problem_with("some") == why
    assert (environments.CACHE / "some" / "bin" / "python").exists()
    assert not (environments.CACHE / "some" / ".installed").exists()


def test_a_client_for_node_needs_npm(client: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (client / "package.json").write_text("{}")
    (client / "package-lock.json").write_text("{}")
    monkeypatch.setenv("PATH", "")
    environments.check_node.cache_clear()
    try:
        assert environments.problem_with("some") == "there is no npm command"
    finally:
        environments.check_node.cache_clear()


def test_every_client_has_the_whole_list_of_its_packages() -> None:
    locks = {name: environments.HERE / name for name in environments.names()}
    assert {name for name, folder in locks.items() if not any(folder.glob("program.*"))} == {"openai-python-1.3.5"}
    for folder in locks.values():
        if not (folder / "package.json").exists():
            lines = [line.partition(" ;")[0] for line in (folder / "requirements.txt").read_text().splitlines()]
            assert [line for line in lines if "==" not in line] == []
