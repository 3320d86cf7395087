"""The prose of the project: what a person reads, with the place where it stands.

Pages (code left out), docstrings of public names, messages in the code (texts of three words and more), the Makefile's
help and messages, and the texts in CSV tables.
"""

from __future__ import annotations

import ast
import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.readme.markdown import PAGES
from tests.structure.source import PACKAGES, ROOT, modules

_TABLES = ("infra", "commands")
"""Folders whose CSV tables hold texts that are shown."""
_FEWEST_WORDS = 4
_FENCE = re.compile(r"^(?:```.*?^```|<!--.*?-->)", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"``.+?``|`[^`\n]+`")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*\)")
_CODE_LIKE = re.compile(r"^\s*(?:[{\[<$#/]|SELECT |https?:)|^[\w./{}-]+$|\n\s*(?:\$|\w+=)")


@dataclass(frozen=True)
class Passage:
    """A piece of prose, in one line. `line`: where it begins in the file at `path`, from 1."""

    path: str
    line: int
    text: str


def passages() -> Iterator[Passage]:
    """All prose of the project."""
    for page in PAGES:
        yield from of_page(page, (ROOT / page).read_text(encoding="utf-8"))
    for module in modules(*PACKAGES, "bench"):
        yield from of_module(str(module.path.relative_to(ROOT)), module.tree)
    yield from _of_makefile()
    for table in sorted(path for folder in _TABLES for path in (ROOT / folder).rglob("*.csv")):
        yield from _of_table(table)


def of_page(path: str, text: str) -> Iterator[Passage]:
    """Paragraphs, list items, headings and table cells of a Markdown page."""
    plain = _FENCE.sub(lambda found: "\n" * found[0].count("\n"), text)
    block: list[str] = []
    began = 1
    for number, line in enumerate([*plain.splitlines(), ""], start=1):
        stripped = line.strip()
        separate = not stripped or stripped[0] in "|#" or re.match(r"(?:[-*]|\d+\.) ", stripped)
        if separate and block:
            yield Passage(path, began, prose(" ".join(block)))
            block = []
        if stripped.startswith("|"):
            yield from (Passage(path, number, prose(cell)) for cell in re.split(r"(?<!\\)\|", stripped) if cell.strip())
        elif stripped:
            if not block:
                began = number
            block.append(stripped.lstrip("#-*> "))


def of_module(path: str, tree: ast.Module) -> Iterator[Passage]:
    """Docstrings of public names, and texts that look like sentences."""
    docstrings: set[int] = set()
    for node in ast.walk(tree):
        body: list[ast.stmt] = getattr(node, "body", []) if not isinstance(node, (ast.Lambda, ast.IfExp)) else []
        for before, statement in zip([None, *body], body, strict=False):
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                docstrings.add(id(statement.value))
                text = statement.value.value
                if isinstance(text, str) and (before is not None or not _private(node)):
                    yield from _of_docstring(path, statement.lineno, text)
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            docstrings.update(id(part) for part in ast.walk(node) if part is not node)
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
            yield from _of_message(path, node.lineno, text)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield from _of_message(path, node.lineno, node.value)


def prose(text: str) -> str:
    """The words alone: code becomes `X`, a link its text, marks of emphasis go."""
    text = _LINK.sub(r"\1", _CODE.sub("X", text))
    return re.sub(r"\s+", " ", re.sub(r"\*\*|(?<!\w)[_*]|[_*](?!\w)", "", text)).strip()


def _of_docstring(path: str, line: int, text: str) -> Iterator[Passage]:
    for place in of_page(path, _FENCE.sub("", text)):
        yield Passage(path, line + place.line - 1, place.text)


def _of_message(path: str, line: int, text: str) -> Iterator[Passage]:
    if len(text.split()) >= _FEWEST_WORDS and not _CODE_LIKE.search(text):
        yield Passage(path, line, prose(text))


def _private(node: ast.AST) -> bool:
    return getattr(node, "name", "").startswith("_")


def _of_makefile() -> Iterator[Passage]:
    for number, line in enumerate((ROOT / "Makefile").read_text(encoding="utf-8").splitlines(), start=1):
        for text in re.findall(r"## (.+)$|echo \"([^\"]+)\"", line):
            yield Passage("Makefile", number, prose("".join(text)))


def _of_table(table: Path) -> Iterator[Passage]:
    with table.open(encoding="utf-8", newline="") as file:
        for row in (reader := csv.reader(file)):
            for cell in row:
                yield from _of_message(str(table.relative_to(ROOT)), reader.line_num, cell)
