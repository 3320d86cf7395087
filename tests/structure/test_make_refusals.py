"""What make says when it cannot set up: in a copy of the Makefile, before anything is installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud.addresses import free_addresses
from tests.structure.source import ROOT
from tests.support.requirements import require

NOBODY = 65534


@pytest.fixture
def checkout() -> Iterator[Path]:
    """The Makefile and the requirements alone, in a folder that every user can look into."""
    with tempfile.TemporaryDirectory(prefix="servestack-make-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for path in (ROOT / "Makefile", *ROOT.glob("requirements*.txt")):
            shutil.copyfile(path, folder / path.name)
        yield folder


def test_an_unknown_variable_is_named_with_those_that_there_are(checkout: Path) -> None:
    assert _make(checkout, "local", "CONFG=examples/x.yml") == (
        "*** make has no variable CONFG here. Its variables are: CONFIG PORT ARGS STACK PYTHON.  Stop."
    )


@pytest.mark.parametrize("python", ["/nowhere/python3", "/bin/true"], ids=["gone", "another version"])
def test_a_venv_whose_python_is_gone_or_another_one_has_to_be_made_again(checkout: Path, python: str) -> None:
    binaries = checkout / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (checkout / ".venv" / "lib" / "python3.10").mkdir(parents=True)
    (checkout / ".venv" / "pyvenv.cfg").write_text("home = /nowhere\n", encoding="utf-8")
    (binaries / "python").symlink_to(python)
    assert _make(checkout, "local") == (
        "*** the Python that .venv was made with was moved, removed or replaced, or this user cannot run it. "
        "Run `make clean`, then this command again.  Stop."
    )


def test_a_taken_port_is_named_before_anything_is_installed(checkout: Path) -> None:
    _with_venv(checkout)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert _make(checkout, "local", f"PORT={port}") == (
            f"Port {port} of 127.0.0.1 is in use by another program. End it, or choose another port: "
            "make local PORT=8001"
        )


def test_a_taken_port_of_the_cloud_is_named_before_anything_is_installed(checkout: Path) -> None:
    for name in ("machines", "provider-aws"):
        require(name)
    _with_venv(checkout)
    (checkout / "cloud").symlink_to(ROOT / "cloud")
    free = free_addresses()
    port = free.control_plane
    with socket.create_server(("127.0.0.1", port)):
        assert _make(checkout, "cloud", f"ARGS=--port {port} --https-port {free.https}") == (
            f"port {port} of 127.0.0.1 is in use. End the program that uses it, or choose another port: make cloud "
            'ARGS="--port 5566"'
        )


def test_a_venv_of_another_user_is_named_as_the_reason(checkout: Path) -> None:
    python = _with_venv(checkout)
    python.parent.parent.chmod(0o555)
    try:
        said = _make(checkout, "plan", user=NOBODY if os.geteuid() == 0 else None)
    finally:
        python.parent.parent.chmod(0o755)
    assert said == (
        ".venv belongs to another user, and this user cannot install what it lacks. Copy the project without it to a "
        "folder of your own."
    )


def test_a_folder_that_cannot_be_written_to_is_named_as_the_reason(checkout: Path) -> None:
    checkout.chmod(0o555)
    try:
        said = _make(checkout, "setup", user=NOBODY if os.geteuid() == 0 else None)
    finally:
        checkout.chmod(0o755)
    assert said == (
        "You cannot write to this folder, and servestack installs what it needs into .venv here. "
        "Copy the project to a folder that you can write to."
    )


def test_an_installation_that_fails_says_what_it_needs_and_that_it_can_be_run_again(checkout: Path) -> None:
    python = checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho 'pip: no network' >&2\nexit 1\n", encoding="utf-8")
    python.chmod(0o755)
    assert _make(checkout, "plan") == (
        "pip: no network The installation failed; pip says why above. If pip could not connect, check the network, or "
        "set PIP_INDEX_URL to a package index that is within reach. Then run the same command again. It continues "
        "where it stopped."
    )


def _with_venv(checkout: Path) -> Path:
    """Put a Python that installs nothing where make would make an environment, which takes long."""
    python = checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to("/bin/true")
    return python


def _make(folder: Path, *arguments: str, user: int | None = None) -> str:
    """What a make that fails says, without make's own lines about it, in one line."""
    ended = subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        user=user,
        env={"PATH": os.environ["PATH"], "PIP_NO_INDEX": "1"},
        timeout=500,
    )
    assert ended.returncode == 2
    lines = [line.partition(": *** ") for line in (ended.stderr + ended.stdout).splitlines()]
    said = [f"*** {text}" if text else line for line, _, text in lines]
    return " ".join(line for line in said if not line.startswith(("*** [", "Installing ", "Making ")))
