"""The commands: each has a line of help, is documented, and needs no second look."""

from __future__ import annotations

import re
import subprocess

from tests.structure.source import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_every_target_has_a_line_in_make_help() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    helped = set(re.findall(r"^make ([a-z-]+) ", listed, re.MULTILINE))
    assert _targets() - helped == set()


def test_every_target_is_in_the_readme_or_in_contributing() -> None:
    pages = "".join((ROOT / page).read_text(encoding="utf-8") for page in ("README.md", "CONTRIBUTING.md"))
    assert {target for target in _targets() if f"make {target}" not in pages} == set()


def test_setting_up_again_does_nothing() -> None:
    """A dry run of `make setup` in a copy whose stamps are newer than its requirements has nothing to run."""
    answer = subprocess.run(
        ["make", "-q", *(f"--old-file={path.name}" for path in ROOT.glob("requirements*.txt")), "setup"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (answer.returncode, answer.stdout) == (0, "")


def _targets() -> set[str]:
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    if phony is None:
        raise AssertionError("the Makefile declares no .PHONY targets")
    return set(phony[1].split())
