"""What `make cloud` does before and after its parts run: the command line, ports, the project's folder, leftovers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cloud.addresses import HOST, Addresses, PortTaken, chosen_addresses, free_addresses
from cloud.arguments import read_arguments
from cloud.banner import banner
from cloud.demo.running import Taken, run_steps, table
from cloud.demo.steps import Step
from cloud.exports import exports, write_certificates
from cloud.leftovers import MARK, end_marked
from cloud.project import ROOT, make_project
from tests.support.requirements import require


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (["--domain", "Models.localhost"], "'Models.localhost' is not a domain: write one in lower case"),
        (["--speed", "0"], "'0' is not a speed: write a number from 1 to 600"),
        (["--port", "70000"], "'70000' is not a port: write a number from 1 to 65000"),
    ],
)
def test_a_wrong_command_line_names_the_rule(line: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read_arguments(line)
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


def test_a_port_that_is_taken_is_named_with_the_remedy() -> None:
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(PortTaken) as refused:
            chosen_addresses(port, None)
    assert str(refused.value) == (
        f"port {port} of 127.0.0.1 is in use. End the program that uses it, or choose another port: "
        'make cloud ARGS="--port 5566"'
    )


def test_the_project_is_this_one_without_stack_config_and_state(tmp_path: Path) -> None:
    (tmp_path / "pulumi").mkdir()
    (tmp_path / "pulumi" / "old").write_text("state of an earlier cloud")
    project = make_project(tmp_path)
    names = {entry.name for entry in project.iterdir()}
    assert {"Pulumi.yaml", "infra", "examples", "Makefile", "requirements.txt"} <= names
    assert not {name for name in names if name.startswith(".") and name != ".venv"}
    assert (project / "infra").resolve() == ROOT / "infra"
    assert list((tmp_path / "pulumi").iterdir()) == []


def test_the_banner_has_the_lines_to_paste(tmp_path: Path) -> None:
    addresses = Addresses(control_plane=4999, https=8443, proxy=5000)
    text = banner(addresses, folder=tmp_path, project=tmp_path / "project", domain="models.localhost", speed=10)
    exported = [line for line in text.splitlines() if line.startswith("export ")]
    assert exported[0] == "export AWS_ENDPOINT_URL=http://127.0.0.1:4999"
    assert "export HTTPS_PROXY=http://127.0.0.1:5000" in exported
    assert "AWS's own waiting times run 10 times faster than the clock." in text
    assert text.endswith("Ctrl-C ends everything. Files stay in that folder until the next start.")


def test_certificates_are_those_that_are_trusted_already_and_the_cloud_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mine.pem"
    mine.write_text("of my company\n")
    monkeypatch.setenv("SSL_CERT_FILE", str(mine))
    write_certificates(tmp_path, "of the cloud\n")
    file = exports(free_addresses(), tmp_path, "models.localhost")["SSL_CERT_FILE"]
    assert Path(file).read_text() == "of my company\nof the cloud\n"


def test_processes_of_an_earlier_cloud_are_ended_and_no_others(tmp_path: Path) -> None:
    require("linux")
    waits = [sys.executable, "-c", "input()"]
    of_cloud, other = (
        subprocess.Popen(waits, stdin=subprocess.PIPE, env={**os.environ, MARK: folder})
        for folder in (str(tmp_path), str(tmp_path / "other"))
    )
    try:
        assert end_marked(MARK, str(tmp_path)) == 1
        assert (of_cloud.wait(30), other.poll()) == (-9, None)
        assert end_marked(MARK, str(tmp_path)) == 0
    finally:
        for one in (of_cloud, other):
            one.kill()
            one.communicate()


async def _steps(folder: Path, *steps: Step) -> tuple[list[Taken], list[str]]:
    said: list[str] = []
    return await run_steps(steps, folder=folder, environment=dict(os.environ), say=said.append), said


def _step(title: str, command: str) -> Step:
    return Step(title=title, command=command, answered=lambda output: output.splitlines()[-1] if output else None)


def test_the_demo_ends_at_the_step_that_failed_and_shows_a_table(tmp_path: Path) -> None:
    import asyncio

    steps = [_step("first", "echo a; echo b"), _step("second", "echo c; exit 3"), _step("third", "echo d")]
    taken, said = asyncio.run(_steps(tmp_path, *steps))
    assert [(one.title, one.answered, one.failed) for one in taken] == [
        ("first", "b", False),
        ("second", "failed with status 3", True),
    ]
    assert [line for line in said if line.startswith("    ")] == ["    a", "    b", "    c"]
    shown = table([Taken(title="deploy", seconds=61.25, answered="62 resources created")])
    assert shown == ("step    seconds  what answered\ndeploy     61.2  62 resources created\nall        61.2")
