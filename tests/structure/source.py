"""The project's Python files as the tests of its structure see them: names, syntax trees, imports."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("infra", "gateway_lambda", "local", "commands", "cloud")


@dataclass(frozen=True)
class Module:
    """One source file."""

    name: str
    """Dotted, `__init__` left out."""
    path: Path
    text: str

    @property
    def tree(self) -> ast.Module:
        return _parsed(self.text)

    def imports(self) -> Iterator[str]:
        """Dotted names of what it imports anywhere in the file, relative ones made absolute.

        `from a.b import c` gives `a.b.c`: whether `c` is a module or a thing in one, it lies under `a.b`.
        """
        package = self.name.split(".") if self.path.name == "__init__.py" else self.name.split(".")[:-1]
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                above = package[: len(package) - node.level + 1] if node.level else []
                base = ".".join([*above, *([node.module] if node.module else [])])
                yield from (f"{base}.{alias.name}" for alias in node.names)


def modules(*folders: str) -> list[Module]:
    """Every module under the given folders of the project, in order of name."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py") if path.is_file())
    return [Module(_dotted(path), path, path.read_text(encoding="utf-8")) for path in paths]


def lies_under(name: str, *packages: str) -> bool:
    """Whether a dotted name is one of the packages or something in one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def _dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)
