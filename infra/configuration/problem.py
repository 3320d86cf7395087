"""What is wrong with a configuration, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

LONGEST_TEXT = 500
"""Characters of one line of a report."""

NOTHING = "nothing"
HIDDEN = "what may be a secret, and is not shown"

KeyPath = tuple[str | int, ...]
"""The way to a value: keys, and indexes into lists."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that a user has to change.

    `where` is a key path (`resources.gpu.count`, `env[0]`) or another place (`--gpu`, `stack config gpu`); `line`
    counts from 1 and is None for what is not in a file; `found` is what was there, None where that says nothing or
    must not be shown.
    """

    where: str
    rule: str
    remedy: str
    found: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        place = ", ".join(filter(None, (f"line {self.line}" if self.line else "", printable(self.where))))
        lines = [place] if place else []
        if self.found is not None:
            lines.append(f"  found:  {printable(self.found)}")
        return "\n".join([*lines, f"  rule:   {printable(self.rule)}", f"  remedy: {printable(self.remedy)}"])


class ConfigurationError(Exception):
    """Everything that is wrong with one configuration; `str()` is the report a user reads."""

    def __init__(self, name: str, problems: Iterable[Problem]) -> None:
        self.name = name
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(name, self.problems)

    def __str__(self) -> str:
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        return "\n\n".join([f"{printable(self.name)}: {count}", *map(str, self.problems)])


class UnreadableText(Exception):
    """Nothing more can be read of a text."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a configuration was written. No part of what it says: any two are equal."""

    name: str = field(default="configuration", compare=False)
    lines: Mapping[KeyPath, int] = field(default_factory=dict[KeyPath, int], compare=False, repr=False)
    elsewhere: Mapping[str, str] = field(default_factory=dict[str, str], compare=False, repr=False)
    """Where values were set that hold instead, by key path; one that ends in a dot stands for all below it."""

    def line(self, path: KeyPath) -> int | None:
        """The line of the value at `path`, else of the nearest thing around it."""
        return line_at(self.lines, path)

    def placed(self, problem: Problem) -> Problem:
        """The problem, where what is wrong was really set."""
        where = ", ".join(map(self._place, problem.where.split(", ")))
        return problem if where == problem.where else replace(problem, where=where, line=None)

    def _place(self, key: str) -> str:
        for path, place in self.elsewhere.items():
            if key == path or (path.endswith(".") and key.startswith(path)):
                return place + key.removeprefix(path)
        return key


def line_at(lines: Mapping[KeyPath, int], path: KeyPath) -> int | None:
    """The line of the value at `path`, else of the nearest thing around it; None where nothing has lines."""
    around = (lines.get(path[:length]) for length in range(len(path), -1, -1))
    return next(filter(None, around), None)


def printable(text: str) -> str:
    """A text that may come out of a file, on one line and without what a terminal would obey."""
    shown = text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"
    return "".join(character if character.isprintable() else "\ufffd" for character in shown)


def spell(path: KeyPath) -> str:
    """A key path as users read it: `resources.gpu.count`, `env[0]`. What follows a = in a key may be a credential."""
    spelt = ""
    for part in path:
        if isinstance(part, int):
            spelt += f"[{part}]"
        else:
            name, equals, _ = part.partition("=")
            key = f"{name[:59]}…" if equals or len(name) > 60 else name
            spelt += f".{key}" if spelt else key
    return spelt
