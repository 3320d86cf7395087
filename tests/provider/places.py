"""Every place in a resource's inputs that a value can be planted in, by the types of the SDK."""

from __future__ import annotations

import collections.abc
import inspect
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi import _types as generated

from cloud.deployment.terraform.translation import is_newer
from tests.aws.planting import plant
from tests.aws.standin import sdk

Kind = typing.Literal["string", "number", "bool", "file", "list", "map", "object"]
_SCALARS: Mapping[type, Kind] = {str: "string", bool: "bool", int: "number", float: "number"}
_LISTS = (list, collections.abc.Sequence)
_MAPS = (dict, collections.abc.Mapping)
_DEEPEST = 1
"""How many objects within each other are made where none is set."""


@dataclass(frozen=True)
class Place:
    """A property, set or not."""

    path: str
    """Dotted, with numbers for the items of lists."""
    kind: Kind
    of: Kind | None
    """The kind of the items of a list or a map."""
    value: Any
    """What is there; `None`: nothing."""
    required: bool
    around: Mapping[str, Any]
    """The inputs, with the objects around the property."""

    @property
    def name(self) -> str:
        """The path without numbers."""
        return ".".join(step for step in self.path.split(".") if not step.isdigit())

    def with_value(self, value: Any) -> dict[str, Any]:
        return plant(self.around, self.path, value)


def places(type: str, inputs: Mapping[str, Any]) -> Iterator[Place]:
    """Every property of the type that this version of the provider has; of a list's items, those of the first."""
    for place in _object(sdk.arguments_class(type), inputs, "", inputs, 0):
        if not is_newer(type, place.name):
            yield place


def _object(
    arguments: Any, value: Mapping[str, Any], where: str, around: Mapping[str, Any], made: int
) -> Iterator[Place]:
    for name, declared in sdk.input_types(arguments).items():
        path = f"{where}.{name}" if where else name
        required = name in sdk.required(arguments)
        yield from _property(sdk.shape_of(declared), value.get(name), path, around, made, required)


def _property(
    shape: Any, value: Any, path: str, around: Mapping[str, Any], made: int, required: bool
) -> Iterator[Place]:
    kind = _kind(shape)
    item = sdk.shape_of(typing.get_args(shape)[-1]) if kind in ("list", "map") else None
    yield Place(path, kind, _kind(item) if item is not None else None, value, required, around)
    nested = shape if kind == "object" else item if kind == "list" and _kind(item) == "object" else None
    if nested is None or (value in (None, []) and made >= _DEEPEST):
        return
    at, there = (path, value) if kind == "object" else (f"{path}.0", value[0] if value else None)
    if there is None:
        there, made = minimal(nested), made + 1
        around = plant(around, path, there if kind == "object" else [there])
    yield from _object(nested, there, at, around, made)


def minimal(arguments: Any) -> dict[str, Any]:
    """An object with what is required, and values that say nothing."""
    types = sdk.input_types(arguments)
    return {name: _some(sdk.shape_of(types[name])) for name in sdk.required(arguments)}


def _some(shape: Any) -> Any:
    kind = _kind(shape)
    if kind == "object":
        return minimal(shape)
    if kind == "list":
        return [_some(sdk.shape_of(typing.get_args(shape)[0]))]
    return {"string": "some", "number": 1, "bool": True, "map": {"some": "some"}}[kind]


def _kind(shape: Any) -> Kind:
    origin = typing.get_origin(shape)
    if origin in _LISTS:
        return "list"
    if origin in _MAPS:
        return "map"
    if inspect.isclass(shape) and generated.is_input_type(shape):
        return "object"
    if inspect.isclass(shape) and issubclass(shape, (pulumi.Asset, pulumi.Archive)):
        return "file"
    return next(kind for scalar, kind in _SCALARS.items() if issubclass(shape, scalar))
