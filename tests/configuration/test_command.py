"""`python -m infra.configuration FILE…`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.configuration.__main__ import main
from tests.configuration.support import SERVICE

ROOT = Path(__file__).parents[2]


def test_each_file_is_a_line_of_json_or_a_report_and_all_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad, last = (tmp_path / name for name in ("good.yml", "bad.yml", "last.yml"))
    good.write_text(SERVICE)
    bad.write_text(f"{SERVICE}prot: 1\n")
    last.write_text(f"{SERVICE}name: last\n")
    assert main([str(good), str(bad), str(last)]) == 1
    printed = capsys.readouterr()
    assert [json.loads(line)["name"] for line in printed.out.splitlines()] == [None, "last"]
    assert printed.err == (
        f"{good}: ok\n{bad}: 1 problem\n\nline 4, prot\n  found:  an unknown key\n"
        "  rule:   every key must be known, because a misspelled key would have no effect\n"
        "  remedy: did you mean `port`?\n\n"
        f"{last}: ok\n"
    )
    assert main([str(good)]) == 0
    assert capsys.readouterr().err == f"{good}: ok\n"


def test_files_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), str(tmp_path / "none.yml"), "a\0b", "none.yml"]) == 1
    rule = "  rule:   a configuration must be a readable file\n"
    remedy = "  remedy: check the path"
    beginning = f", which is relative to {Path.cwd()}"
    assert capsys.readouterr().err == (
        f"{tmp_path}: 1 problem\n\n  found:  a folder\n  rule:   a configuration must be a file\n"
        "  remedy: give the path of a *.dstack.yml file\n\n"
        f"{tmp_path}/none.yml: 1 problem\n\n  found:  no such file or directory\n{rule}{remedy}\n\n"
        f"a\ufffdb: 1 problem\n\n  found:  not a file name\n{rule}{remedy}{beginning}\n\n"
        f"none.yml: 1 problem\n\n  found:  no such file or directory\n{rule}{remedy}{beginning}\n\n"
    )


def test_a_folder_is_refused_with_a_configuration_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "serve.dstack.yml").touch()

    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        f"{tmp_path}: 1 problem\n\n  found:  a folder\n  rule:   a configuration must be a file\n"
        f"  remedy: name one, for example {tmp_path}/a/serve.dstack.yml\n\n"
    )


def test_ten_megabytes_are_refused_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    large = tmp_path / "large.yml"
    large.write_bytes(b"a: b\n" * (2 * 1024 * 1024))
    assert main([str(large)]) == 1
    assert "a configuration must have at most 256 KiB" in capsys.readouterr().err


def test_as_a_process_in_any_locale(tmp_path: Path) -> None:
    file = tmp_path / "service.yml"
    file.write_text(f"{SERVICE}commands: [échø]\n")
    broken = tmp_path / "broken.yml"
    broken.write_text(f"{SERVICE}échø: 1\n")
    run = subprocess.run(
        [sys.executable, "-m", "infra.configuration", file, broken, b"no\xff.yml"],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
        capture_output=True,
        check=False,
    )
    assert run.returncode == 1
    assert json.loads(run.stdout)["commands"] == ["échø"]
    assert b"Traceback" not in run.stderr
    assert run.stderr.count(b"1 problem") == 2


def test_without_a_file_it_says_how_it_is_used() -> None:
    run = subprocess.run([sys.executable, "-m", "infra.configuration"], cwd=ROOT, capture_output=True, check=False)
    assert run.returncode == 2
    assert run.stderr.startswith(b"usage: python -m infra.configuration")
