"""What is wrong with a configuration, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

LONGEST_TEXT = 500
"""Characters of one line of a report."""

NOTHING = "nothing"
HIDDEN = "not shown, because it may be a secret"

KeyPath = tuple[str | int, ...]
"""The path to a value: keys, and indexes of lists."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that the user must change.

    `where` is a key path (`resources.gpu.count`, `env[0]`) or another place (`--gpu`, `stack config gpu`). `line`
    counts from 1; None means that the value does not come from a file. `found` is the value that was found; None means
    that the value says nothing or must not be shown.
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
    """All problems of one configuration. `str()` returns the report that a user reads."""

    def __init__(self, name: str, problems: Iterable[Problem]) -> None:
        self.name = name
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(name, self.problems)

    def __str__(self) -> str:
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        return "\n\n".join([f"{printable(self.name)}: {count}", *map(str, self.problems)])


class UnreadableText(Exception):
    """The rest of a text cannot be read."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a configuration was written. All sources are equal, because the place does not change the meaning."""

    name: str = field(default="configuration", compare=False)
    lines: Mapping[KeyPath, int] = field(default_factory=dict[KeyPath, int], compare=False, repr=False)
    elsewhere: Mapping[str, str] = field(default_factory=dict[str, str], compare=False, repr=False)
    """The places that override values, by key path. A path that ends in a dot stands for every path below it."""

    def line(self, path: KeyPath) -> int | None:
        """Return the line of the value at `path`, or of the nearest value around it."""
        return line_at(self.lines, path)

    def placed(self, problem: Problem) -> Problem:
        """Return the problem with the place where the wrong value was really set."""
        where = ", ".join(map(self._place, problem.where.split(", ")))
        return problem if where == problem.where else replace(problem, where=where, line=None)

    def _place(self, key: str) -> str:
        for path, place in self.elsewhere.items():
            if key == path or (path.endswith(".") and key.startswith(path)):
                return place + key.removeprefix(path)
        return key


def line_at(lines: Mapping[KeyPath, int], path: KeyPath) -> int | None:
    """Return the line of the value at `path`, or of the nearest value around it; None if no value has a line."""
    around = (lines.get(path[:length]) for length in range(len(path), -1, -1))
    return next(filter(None, around), None)


def printable(text: str) -> str:
    """Return a text on one line and without control characters. The text can come from any file."""
    shown = text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"
    return "".join(character if character.isprintable() else "\ufffd" for character in shown)


def spell(path: KeyPath) -> str:
    """Return a key path as users read it: `resources.gpu.count`, `env[0]`.

    The text after a = in a key is left out, because it may be a credential.
    """
    spelt = ""
    for part in path:
        if isinstance(part, int):
            spelt += f"[{part}]"
        else:
            name, equals, _ = part.partition("=")
            key = f"{name[:59]}…" if equals or len(name) > 60 else name
            spelt += f".{key}" if spelt else key
    return spelt
