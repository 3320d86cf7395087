"""Which resources Pulumi's provider names itself (`own_names.csv`), and how."""

from __future__ import annotations

import csv
import functools
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from commands.program_monitor import Refused

DEFAULTS = "__defaults"
"""Among the inputs, as the bridge writes it: the properties that the provider filled in itself."""
_DIGITS = 7


@functools.cache
def own_names() -> Mapping[str, tuple[str, int]]:
    """Return the property with the name, and the longest name, by type."""
    with Path(__file__).with_name("own_names.csv").open(newline="") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return {row["type"]: (row["property"], int(row["longest"])) for row in rows}


def with_own_name(type: str, logical: str, inputs: Mapping[str, Any], old: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return `inputs` with a name. `old`: the inputs of the existing resource, which keeps its name.

    Raises:
        Refused: the name would be too long.
    """
    named = {key: value for key, value in inputs.items() if key != DEFAULTS}
    property, longest = own_names().get(type, ("", 0))
    if not property or property in named or f"{property}Prefix" in named:
        return named
    if old is not None and property in old.get(DEFAULTS, ()):
        return {**named, property: old[property], DEFAULTS: [property]}
    name = f"{logical}-{secrets.token_hex(4)[:_DIGITS]}"
    if len(name) > longest:
        raise Refused(f"{property}: {name!r} has {len(name)} characters, and a name of {type} has at most {longest}")
    return {**named, property: name, DEFAULTS: [property]}


def has_fixed_name(type: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether the old resource must be deleted before the new one is made, because the program gives both the same
    name."""
    property, _ = own_names().get(type, ("", 0))
    return (
        bool(property)
        and property in new
        and property not in new.get(DEFAULTS, ())
        and old.get(property) == new[property]
    )
