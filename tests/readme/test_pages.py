"""What the pages name exists: files, targets, flags."""

from __future__ import annotations

import re
import subprocess

import pytest

from local.arguments import read_arguments
from tests.readme.markdown import PAGES, blocks, inline_code, links, read
from tests.support.processes import ROOT

MAKE_TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES)
def test_every_link_into_the_project_leads_to_a_file(page: str) -> None:
    assert [link for link in links(page) if "://" not in link and not (ROOT / link).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_that_is_named_exists(page: str) -> None:
    named = {code.split()[1] for code in inline_code(page) if re.match(r"make [a-z]", code)}
    assert named - MAKE_TARGETS == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_block_has_a_language_that_a_test_runs_or_is_a_picture(page: str) -> None:
    assert {block.language for block in blocks(page)} <= {"shell", "python", "text"}
    assert page == "README.md" or not blocks(page), "commands stand in the README, where they are run"


def test_the_readme_begins_with_the_two_commands() -> None:
    assert [block.text for block in blocks("README.md")][:2] == ["make local", "make test"]


def test_every_flag_of_make_local_is_on_its_page(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_arguments(["--help"])
    flags = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help", "--port"}
    assert {flag for flag in flags if f"`{flag}" not in read("docs/local.md")} == set()


def test_make_test_is_what_ci_runs() -> None:
    steps = [
        line for line in (ROOT / ".ci/run").read_text().splitlines() if "make" in line and not line.startswith("#")
    ]
    assert steps == ["exec make test </dev/null"]
    dry = subprocess.run(["make", "-n", "test"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "-m pytest" in dry
