"""Property paths: `healthCheck.interval`, `actions[].type`, `tags{}` (a map's values), `tags{key}` (its keys)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from commands.property_values import UnknownValue

_STEP = re.compile(r"(\[\]|\{\}|\{key\})")


def values_at(properties: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    """(where exactly, value) of everything at `path` that is there and known."""
    steps = [step for part in path.split(".") for step in _STEP.split(part) if step]
    yield from _below("", properties, steps)


def value_at(properties: Mapping[str, Any], path: str) -> Any:
    """The one value at `path`, or `None` where there is none or it is not known."""
    return next((value for _, value in values_at(properties, path)), None)


def given(properties: Mapping[str, Any], path: str) -> bool:
    """Whether something stands at `path`, known or not."""
    value: Any = properties
    for key in path.split("."):
        if isinstance(value, UnknownValue):
            return True
        if not is_object(value) or key not in value:
            return False
        value = value[key]
    return value is not None


def is_object(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)


def is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _below(where: str, value: Any, steps: list[str]) -> Iterator[tuple[str, Any]]:
    if value is None or isinstance(value, UnknownValue):
        return
    if not steps:
        yield where, value
        return
    step, rest = steps[0], steps[1:]
    if step == "[]":
        for index, item in enumerate(value if is_list(value) else ()):
            yield from _below(f"{where}[{index}]", item, rest)
    elif step == "{}":
        for key, item in value.items() if is_object(value) else ():
            yield from _below(f"{where}[{key!r}]", item, rest)
    elif step == "{key}":
        for key in value if is_object(value) else ():
            yield f"{where}[{key!r}]", key
    elif is_object(value) and step in value:
        yield from _below(f"{where}.{step}" if where else step, value[step], rest)
