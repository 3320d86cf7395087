"""The stacks of a folder: their names, which one is selected, and their stack config, in files for their owner only."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast


class StackProblem(Exception):
    """What was asked for is not possible. `str()` says why and what to do."""


class StackSettings:
    """The stacks of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "stacks"
        self._selected = folder / "selected"
        self._folder.mkdir(parents=True, exist_ok=True)

    @property
    def names(self) -> list[str]:
        return sorted(file.stem for file in self._folder.glob("*.json"))

    @property
    def selected(self) -> str | None:
        return self._selected.read_text() if self._selected.exists() else None

    def chosen(self, name: str | None) -> str:
        """Return `name`, which can be `organization/project/stack`, or the selected stack.

        Raises:
            StackProblem: there is no such stack, or none is selected.
        """
        chosen = name or self.selected
        if chosen is None:
            raise StackProblem("no stack is selected: run `pulumi stack select NAME`, or add --stack NAME")
        chosen = chosen.rpartition("/")[2]
        if chosen not in self.names:
            raise StackProblem(f"no stack named {chosen!r} found: run `pulumi stack init {chosen}`")
        return chosen

    def init(self, name: str) -> None:
        if name in self.names:
            raise StackProblem(f"stack {name!r} already exists")
        self._write(name, {})
        self.select(name)

    def select(self, name: str) -> None:
        self._selected.write_text(self.chosen(name))

    def remove(self, name: str) -> None:
        (self._folder / f"{name}.json").unlink()
        if self.selected == name:
            self._selected.unlink()

    def values(self, name: str) -> Mapping[str, Any]:
        """Return the stack config by key."""
        return {key: entry["value"] for key, entry in self._read(name).items()}

    def secret_keys(self, name: str) -> frozenset[str]:
        """Return the keys that hold a secret, themselves or within."""
        return frozenset(key for key, entry in self._read(name).items() if entry["secret"])

    def set(self, name: str, key: str, value: str, *, path: bool, secret: bool) -> None:
        """Set a value; with `path`, within the object or the list at the first name of the path."""
        config = self._read(name)
        first, *rest = _names(key) if path else (key,)
        entry = config.get(first, {"value": None, "secret": False})
        config[first] = {
            "value": _with(entry["value"], rest, value),
            "secret": secret or (bool(rest) and entry["secret"]),
        }
        self._write(name, config)

    def unset(self, name: str, key: str, *, path: bool) -> None:
        config = self._read(name)
        first, *rest = _names(key) if path else (key,)
        found = config
        for one in (first, "value", *rest[:-1]) if rest else ():
            found = found.get(one) or {}
        found.pop(rest[-1] if rest else first, None)
        self._write(name, config)

    def _read(self, name: str) -> dict[str, dict[str, Any]]:
        return json.loads((self._folder / f"{name}.json").read_text())

    def _write(self, name: str, config: Mapping[str, Any]) -> None:
        file = self._folder / f"{name}.json"
        new = file.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as written:
            json.dump(config, written, indent=2)
        new.rename(file)


def _names(path: str) -> list[str]:
    """`env.NAME`, `keys[0]`: the names of a path, without a name that is quoted in brackets."""
    return [one for one in path.replace("[", ".").replace("]", "").split(".") if one]


def _with(value: Any, rest: list[str], new: str) -> Any:
    if not rest:
        return new
    if rest[0].isdecimal() and not isinstance(value, dict):
        items: list[Any] = [*value] if isinstance(value, list) else []
        index = int(rest[0])
        if index > len(items):
            raise StackProblem(f"the list has {len(items)} items, so the next one is [{len(items)}]")
        return [*items[:index], _with(items[index] if index < len(items) else None, rest[1:], new), *items[index + 1 :]]
    there = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    return {**there, rest[0]: _with(there.get(rest[0]), rest[1:], new)}
