"""The start script, run by sh as the adapter's wrapper runs it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.packaging.contents import START_SCRIPT
from tests.support.processes import ROOT

SCRIPT = ROOT / "infra" / "packaging" / START_SCRIPT


@pytest.mark.parametrize(
    ("given", "port"),
    [({}, "8080"), ({"PORT": "8000"}, "8000"), ({"PORT": "8000", "AWS_LWA_PORT": "9000"}, "9000")],
)
def test_it_becomes_the_gateway_on_the_port_that_the_adapter_asks(
    tmp_path: Path, given: dict[str, str], port: str
) -> None:
    (tmp_path / "python3").write_text('#!/bin/sh\necho "$PWD $HOST $PORT $GATEWAY_BEHIND $*"\n')
    (tmp_path / "python3").chmod(0o755)
    root = tmp_path / "task root"
    root.mkdir()
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "LAMBDA_TASK_ROOT": str(root), **given}
    done = subprocess.run([SCRIPT], env=environment, cwd="/", capture_output=True, text=True, check=True)
    assert done.stdout == f"{root} 127.0.0.1 {port} adapter -S -m gateway_lambda\n"


def test_shellcheck_finds_nothing() -> None:
    shellcheck = shutil.which("shellcheck", path=str(Path(sys.executable).parent)) or "shellcheck"
    done = subprocess.run([shellcheck, SCRIPT], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
