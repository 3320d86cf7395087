"""What a person sees of pip while make installs: one line on a terminal, and every error."""

from __future__ import annotations

import contextlib
import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.structure.source import ROOT

PIP = """#!/bin/bash
echo "Ignoring colorama: markers 'sys_platform == \\"win32\\"' don't match your environment"
echo "Collecting attrs==26.1.0 (from -r requirements-dev.txt (line 2))"
echo "  Downloading attrs-26.1.0-py3-none-any.whl (67 kB)"
echo "Requirement already satisfied: msgspec==0.22.0 in /somewhere"
echo "ERROR: no disk" >&2
echo "Installing collected packages: attrs"
exit %d
"""
SAID = "Installing what the tests need (once) …\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copyfile(ROOT / "Makefile", tmp_path / "Makefile")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / "requirements-dev.txt").write_text(
        "colorama==0.4.6 ; sys_platform == 'win32'\nattrs==26.1.0\nmsgspec==0.22.0\n", encoding="utf-8"
    )
    return tmp_path


def install(checkout: Path, status: int, output: int) -> subprocess.CompletedProcess[str]:
    python = checkout / ".venv" / "bin" / "python"
    python.write_text(PIP % status, encoding="utf-8")
    python.chmod(0o755)
    command = ["make", ".venv/.installed-dev"]
    return subprocess.run(command, cwd=checkout, stdout=output, stderr=subprocess.PIPE, text=True, timeout=500)


def test_a_file_gets_no_progress_and_every_error(checkout: Path) -> None:
    done = install(checkout, 0, subprocess.PIPE)

    assert (done.returncode, done.stdout, done.stderr) == (0, SAID, "ERROR: no disk\n")
    assert (checkout / ".venv" / ".installed-dev").exists()


def test_a_terminal_gets_one_line_that_counts(checkout: Path) -> None:
    reader, writer = pty.openpty()
    done = install(checkout, 0, writer)
    os.close(writer)
    shown = _read(reader).decode()
    os.close(reader)

    assert (done.returncode, done.stderr) == (0, "ERROR: no disk\n")
    states = ("1 of 3: colorama:", "2 of 3: attrs==26.1.0", "3 of 3: already there", "3 of 3: writing files …")
    progress = "".join(f"  {state}\x1b[K\r" for state in states)
    assert shown == f"{SAID.strip()}\r\n{progress}\x1b[K"


def test_a_failure_of_pip_is_a_failure_of_make(checkout: Path) -> None:
    done = install(checkout, 1, subprocess.PIPE)

    assert done.returncode == 2
    assert done.stderr.startswith("ERROR: no disk\n")
    assert done.stdout.startswith(f"{SAID}The installation failed; pip says why above.")
    assert not (checkout / ".venv" / ".installed-dev").exists()


def _read(terminal: int) -> bytes:
    """All that was written to a terminal whose other end is closed. It can come in parts."""
    shown = b""
    with contextlib.suppress(OSError):
        while read := os.read(terminal, 1024):
            shown += read
    return shown
