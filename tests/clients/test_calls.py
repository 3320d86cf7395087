"""Programs of clients cannot leave this machine: their test fails, even if the client hides the error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.conftest import INSTALLING
from tests.clients.environments import HERE
from tests.support.processes import ROOT
from tests.support.requirements import require

PYTHON = """
import socket

def reach():
    socket.create_connection(("192.0.2.1", 80), timeout=5)

def stay():
    return [1]
"""
NODE = """
export const reach = async () => { try { await fetch("http://192.0.2.1/"); } catch { return "hidden"; } };
export const stay = () => [1];
"""


def called(command: list[str], name: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*command, name], cwd=ROOT, capture_output=True, text=True, timeout=500)


@pytest.mark.parametrize(
    ("program", "text", "command"),
    [
        ("program.py", PYTHON, [sys.executable, "-m", "tests.clients.call"]),
        pytest.param("program.mjs", NODE, ["node", str(HERE / "call.mjs")], marks=pytest.mark.timeout(INSTALLING)),
    ],
    ids=["python", "node"],
)
def test_a_program_that_leaves_this_machine_says_so(
    tmp_path: Path, program: str, text: str, command: list[str]
) -> None:
    if command[0] == "node":
        require("openai-node")
    (tmp_path / program).write_text(text)
    command = [*command, str(tmp_path / program)]
    assert (called(command, "stay").stdout, called(command, "stay").stderr) == ('{"stay":[1]}\n', "")
    assert "to 192.0.2.1: tests use loopback only" in called(command, "reach").stderr
