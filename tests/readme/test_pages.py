"""What the pages name exists: files, targets, flags."""

from __future__ import annotations

import re
import subprocess

import pytest

from local.arguments import read_arguments
from tests.readme.markdown import PAGES, anchors, blocks, inline_code, links, read
from tests.support.processes import ROOT

MAKE_TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES)
def test_every_link_into_the_project_leads_to_a_file_and_a_heading(page: str) -> None:
    broken: list[str] = []
    for link in links(page):
        target, _, anchor = link.partition("#")
        if "://" not in link and (not (ROOT / target).exists() or (anchor and anchor not in anchors(target))):
            broken.append(link)
    assert broken == []


def test_every_place_that_contributing_names_exists() -> None:
    named = {code for code in inline_code("CONTRIBUTING.md") if re.fullmatch(r"[a-z_.]+/[\w./]+", code)}
    places = {place for place in named if not place.startswith(".cache/")}  # what a command makes there
    assert len(places) > 20
    assert {place for place in places if not (ROOT / place).exists()} == set()


@pytest.mark.parametrize("folder", ["docs", "docs/decisions"])
def test_every_page_is_in_its_folder_s_list(folder: str) -> None:
    there = {str(page.relative_to(ROOT)) for page in (ROOT / folder).glob("*.md")} - {f"{folder}/README.md"}
    assert there - set(links(f"{folder}/README.md")) == set(), f"add a line for it to {folder}/README.md"


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_that_is_named_exists(page: str) -> None:
    written = [*inline_code(page), *(line for block in blocks(page) for line in block.commands)]
    named = {code.split()[1] for code in written if re.match(r"make [a-z]", code)}
    assert named - MAKE_TARGETS == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_block_has_a_language_that_a_test_runs_or_is_only_shown(page: str) -> None:
    run, shown = {"shell", "python"}, {"text", "yaml", ""}
    assert {block.language for block in blocks(page)} <= run | shown
    begins = re.compile(r"(?:make|pulumi|aws|curl|export) ")
    assert [block.line for block in blocks(page) if block.language in shown and begins.match(block.text)] == []


def test_the_readme_has_fewer_than_250_lines() -> None:
    assert len(read("README.md").splitlines()) < 250


def test_every_word_that_the_project_defines_is_linked_to_its_definition_where_a_page_uses_it() -> None:
    linked = {
        word
        for page in PAGES
        for words, target in re.findall(r"\[([^\]]+)\]\(([^)\s]*words\.md)\)", read(page))
        for word in (words.lower().strip("*"), words.lower().strip("*").removesuffix("s"))
        if target.endswith("words.md")
    }
    defined = {word.lower() for word in re.findall(r"^\| \*\*(.+?)\*\* \|", read("docs/words.md"), re.MULTILINE)}
    assert len(defined) > 20
    assert defined - linked == set(), "link it where a page uses it first"


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
