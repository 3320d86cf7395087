"""Pulumi's types and properties in Terraform's words, by the provider's schema.

A property has Terraform's name in camel case, and in the plural where Terraform has a list. Where Terraform's list has
at most one item, Pulumi has that item. `names.csv` lists the other names, `newer.csv` what only 6.x has.
"""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cloud.deployment.terraform.types import snake, terraform_type
from cloud.deployment.terraform.values import LISTS, Block, Nested, Type, is_list, whole
from commands.property_values import FileValue, UnknownValue

__all__ = ["configuration", "is_newer", "property_of", "terraform_name", "terraform_path", "terraform_type"]


def configuration(type: str, block: Block, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The whole object that Terraform would send for Pulumi's `inputs`; a LookupError names what it does not know."""
    return whole(block, _object(type, "", block, inputs))


def terraform_name(type: str, where: str, block: Block, property: str) -> str:
    """What Terraform calls a property: `where` is the Pulumi path of its object, without numbers, empty at the top."""
    path = f"{where}.{property}" if where else property
    for one in ((type, path), ("*", path)):
        if one in _table("names"):
            return _table("names")[one]
    found = [name for name in (*block.attributes, *block.blocks) if property in _names(block, name)]
    if len(found) != 1:
        raise LookupError(f"{type} {path}: Terraform has {' and '.join(found) or 'nothing'} for it; see names.csv")
    return found[0]


def terraform_path(type: str, block: Block, path: str) -> str:
    """Terraform's path of a property, both without the positions in lists."""
    names: list[str] = []
    at: Block | Mapping[str, Any] = block
    where = ""
    for step in path.split("."):
        if isinstance(at, Block):
            names.append(terraform_name(type, where, at, step))
            nested = at.blocks.get(names[-1])
            at = nested.block if nested else {}
        else:
            names.append(snake(step))
        where = f"{where}.{step}" if where else step
    return ".".join(names)


def is_newer(type: str, path: str) -> bool:
    """Whether the provider of this version does not have a property yet, or an object around it."""
    steps = path.split(".")
    around = [".".join(steps[:end]) for end in range(1, len(steps) + 1)]
    return any((of, one) in _table("newer") for of in (type, "*") for one in around)


def property_of(type: str, block: Block, name: str, properties: Mapping[str, Any]) -> str | None:
    """Which of the top-level `properties` Terraform calls `name`."""
    for property in properties:
        try:
            if terraform_name(type, "", block, property) == name:
                return property
        except LookupError:
            continue
    return None


def _object(type: str, where: str, block: Block, value: Mapping[str, Any]) -> dict[str, Any]:
    translated: dict[str, Any] = {}
    for property, one in value.items():
        path = f"{where}.{property}" if where else property
        if is_newer(type, path):
            continue
        name = terraform_name(type, where, block, property)
        if name in block.blocks:
            translated[name] = _blocks(type, path, block.blocks[name], one)
        else:
            translated[name] = _value(block.attributes[name].type, one)
    return translated


def _blocks(type: str, path: str, nested: Nested, value: Any) -> Any:
    if value is None or isinstance(value, UnknownValue):
        return value
    if nested.nesting == "single":
        return _object(type, path, nested.block, value)
    return [
        one if isinstance(one, UnknownValue) else _object(type, path, nested.block, one)
        for one in (value if is_list(value) else [value])
    ]


def _value(type: Type, value: Any) -> Any:
    if value is None or isinstance(value, UnknownValue):
        return value
    if isinstance(type, str):
        return _scalar(type, value)
    kind, of = type
    if kind in LISTS:
        return [_value(of, one) for one in (value if is_list(value) else [value])]
    if kind == "map":
        return {key: _value(of, one) for key, one in value.items()}
    names = {camel(name): name for name in of}
    return {names[property]: _value(of[names[property]], one) for property, one in value.items()}


def _scalar(type: str, value: Any) -> Any:
    """As Terraform converts: text that is a number is one where a number is asked for, and the other way round."""
    if isinstance(value, FileValue):
        return value.path or value.text or value.uri
    if type == "string" and isinstance(value, bool):
        return "true" if value else "false"
    if type == "string" and isinstance(value, (int, float)):
        return str(value)
    if type == "number" and isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value):
        return float(value) if "." in value else int(value)
    if type == "bool" and value in ("true", "false"):
        return value == "true"
    return value


def _names(block: Block, name: str) -> Iterator[str]:
    yield camel(name)
    type = block.attributes[name].type if name in block.attributes else ["list"]
    if not isinstance(type, str) and type[0] in LISTS:
        yield camel(_plural(name))


def camel(name: str) -> str:
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name)


def _plural(name: str) -> str:
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        return f"{name[:-1]}ies"
    if name.endswith(("s", "x", "ch", "sh")):
        return f"{name}es"
    return f"{name}s"


@functools.cache
def _table(name: str) -> Mapping[tuple[str, str], str]:
    """By type and property: the row's last cell."""
    with Path(__file__).with_name(f"{name}.csv").open(newline="") as file:
        rows = csv.reader(line for line in file if not line.startswith("#"))
        next(rows)
        return {(row[0], row[1]): row[-1] for row in rows}
