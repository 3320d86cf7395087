"""The pages as tests read them: fenced code blocks, inline code, links, headings, tables."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import ROOT

PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md")),
)


@dataclass(frozen=True)
class Block:
    """A fenced code block."""

    page: str
    line: int
    """Of its first line, from 1."""
    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        """The commands of a shell block, each whole, its continued lines included."""
        return [command for command in re.split(r"(?<!\\)\n", self.text.strip()) if command.strip()]


def blocks(page: str, language: str | None = None) -> list[Block]:
    """The code blocks of a page, of one language or of all."""
    found: list[Block] = []
    start, opened = 0, ""
    lines = read(page).splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.startswith("```"):
            continue
        if not start:
            start, opened = number + 1, line[3:].strip()
        else:
            found.append(Block(page, start, opened, "\n".join(lines[start - 1 : number - 1])))
            start = 0
    return [block for block in found if language is None or block.language == language]


def inline_code(page: str) -> list[str]:
    """What stands between single backticks outside of code blocks."""
    return re.findall(r"`([^`\n]+)`", _without_blocks(page))


def links(page: str) -> list[str]:
    """Targets of links, those within the project relative to its root, with their fragment."""
    folder = Path(page).parent
    targets = re.findall(r"\]\(([^)\s]+)\)", _without_blocks(page))
    return [
        target if "://" in target else page + target if target.startswith("#") else os.path.normpath(folder / target)
        for target in targets
    ]


def anchors(page: str) -> set[str]:
    """Fragments that lead to a heading of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _without_blocks(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def first_column(page: str, header: str) -> list[str]:
    """Names in backticks in the first column of the table whose first header cell is `header`."""
    return [name for row in rows(page, header) for name in re.findall(r"`([^`]+)`", row[0])]


def rows(page: str, header: str) -> list[list[str]]:
    """The cells of the table whose first header cell is `header`, row by row."""
    _, _, rest = read(page).partition(f"\n| {header} |")
    table = rest.split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table]


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def _without_blocks(page: str) -> str:
    return re.sub(r"^```.*?^```", "", read(page), flags=re.MULTILINE | re.DOTALL)
