"""The tables of this folder, read once. Each is data with its source; the modules beside them say how it is used."""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cloud.deployment.own_names import own_names

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class KnownType:
    """A resource type that a program may use."""

    token: str
    sdk: str
    """The SDK's class, dotted."""
    named: str
    """The property that the provider fills with a name of its own where there is none; empty: none is."""
    longest: int
    """How long that name may be."""


@functools.cache
def rows(name: str) -> tuple[Mapping[str, str], ...]:
    """The rows of a table; lines that start with `#` are comments."""
    with (FOLDER / f"{name}.csv").open(newline="") as file:
        return tuple(csv.DictReader(line for line in file if not line.startswith("#")))


@functools.cache
def types() -> Mapping[str, KnownType]:
    named = own_names()
    none = ("", 0)
    return {row["type"]: KnownType(row["type"], row["sdk"], *named.get(row["type"], none)) for row in rows("types")}


@functools.cache
def by_type(name: str) -> Mapping[str, tuple[Mapping[str, str], ...]]:
    """A table's rows under their `type`."""
    grouped: dict[str, list[Mapping[str, str]]] = {}
    for row in rows(name):
        grouped.setdefault(row["type"], []).append(row)
    return {token: tuple(of_type) for token, of_type in grouped.items()}
