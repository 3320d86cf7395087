"""The start script, run by sh as the adapter's wrapper runs it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from infra.packaging.contents import START_SCRIPT, gateway_contents
from tests.lambda_function.task_root import lay_out
from tests.support.processes import ROOT, running

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


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """What Lambda unpacks, and a folder for PATH."""
    task_root = tmp_path_factory.mktemp("function") / "task"
    return task_root, lay_out(task_root)


def test_it_imports_no_more_than_it_needs(laid_out: tuple[Path, Path]) -> None:
    """Cold starts pay for every module. Those of the standard library are the ones that crept in once."""
    task_root, path = laid_out
    code = "import json, runpy, sys\ntry: runpy.run_module('gateway_lambda', run_name='__main__')\n"
    code += "except SystemExit as ended: print(json.dumps([str(ended), sorted(sys.modules)]))"
    # Without a registry it ends where everything is imported.
    done = subprocess.run(
        [path / "python3", "-S", "-c", code], cwd=task_root, env={"PATH": str(path)}, capture_output=True, check=True
    )
    ended, loaded = json.loads(done.stdout)
    assert "GATEWAY_REGISTRY" in ended
    beside = {folder.name for folder in task_root.iterdir() if folder.is_dir()}
    assert {name for name in loaded if name in beside} == {
        *("gateway_lambda", "httptools", "jinja2", "markupsafe", "msgspec", "uvicorn"),
        "click",  # uvicorn's own command line, which it imports with itself
    }
    assert {"http.client", "email.parser", "urllib.request", "unittest", "zipfile"} & set(loaded) == set()


def test_what_the_zip_holds_is_enough_to_serve(laid_out: tuple[Path, Path], tmp_path: Path) -> None:
    """Every module, with nothing but the packages of requirements-lambda.txt and what is kept of them."""
    task_root, path = laid_out
    names = sorted(name[:-3].replace("/", ".") for name in gateway_contents(ROOT) if name.endswith(".py"))
    importable = [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]
    code = f"import importlib\nfor name in {importable!r}: importlib.import_module(name)"
    subprocess.run([path / "python3", "-S", "-c", code], cwd=task_root, env={"PATH": str(path)}, check=True)
    (tmp_path / "registry.json").write_text("{}")
    registry = f"file:{tmp_path / 'registry.json'}"
    given = {"PATH": str(path), "PORT": "0", "GATEWAY_REGISTRY": registry, "GATEWAY_LOG": "info"}
    with running([str(task_root / START_SCRIPT)], env=given, cwd=Path(os.sep)) as gateway:
        said = gateway.wait_for(lambda output: re.search(r"running on \S+ ", output) is not None)
        (address,) = re.findall(r"running on (\S+) ", said)
        assert httpx.get(f"{address}/healthz").status_code == 200


def test_shellcheck_finds_nothing() -> None:
    shellcheck = shutil.which("shellcheck", path=str(Path(sys.executable).parent)) or "shellcheck"
    done = subprocess.run([shellcheck, SCRIPT], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
