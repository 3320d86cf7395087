"""What .gitignore and .dstackignore leave out, as dstack reads them.

`.dstackignore` has the form of `.gitignore` and wins over it. A file in a deeper folder wins over one above. The files
of the folders above the packed one count too, up to the folder with `.git`. What a user's own git settings ignore is
packed, because it differs between machines.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

NAMES = (".dstackignore", ".gitignore")
"""The first wins."""


@dataclass(frozen=True, kw_only=True)
class _Rules:
    folder: Path
    specs: Sequence[GitIgnoreSpec | None]
    """In the order of `NAMES`."""


def kept(root: Path, top: Path) -> Iterator[Path]:
    """Return the folder `root` and everything in it that is not ignored. `.git` is never kept.

    Args:
        top: where the rules begin if no folder above has `.git`.

    Raises:
        OSError: a folder or a file with rules cannot be read.
    """
    yield root
    yield from _below(root, [_rules(folder) for folder in _above(root, top)])


def _above(root: Path, top: Path) -> list[Path]:
    """The folders whose rules count besides those below `root`, the highest first."""
    above = [root, *root.parents]
    end = next((folder for folder in above if (folder / ".git").exists()), top if root.is_relative_to(top) else root)
    return above[: above.index(end) + 1][:0:-1]


def _below(folder: Path, rules: Sequence[_Rules]) -> Iterator[Path]:
    here = [*rules, _rules(folder)]
    with os.scandir(folder) as entries:
        found = [
            (folder / entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries if entry.name != ".git"
        ]
    for path, is_folder in found:
        if _is_ignored(path, here, is_folder=is_folder):
            continue
        yield path
        if is_folder:
            yield from _below(path, here)


def _rules(folder: Path) -> _Rules:
    return _Rules(folder=folder, specs=[_spec(folder / name) for name in NAMES])


def _spec(file: Path) -> GitIgnoreSpec | None:
    if not file.is_file():
        return None
    return GitIgnoreSpec.from_lines(file.read_text(encoding="utf-8", errors="surrogateescape").splitlines())


def _is_ignored(path: Path, rules: Sequence[_Rules], *, is_folder: bool) -> bool:
    for index in range(len(NAMES)):
        for rule in reversed(rules):
            spec = rule.specs[index]
            if spec is None:
                continue
            relative = path.relative_to(rule.folder).as_posix() + ("/" if is_folder else "")
            said = spec.check_file(relative).include
            if said is not None:
                return said
    return False
