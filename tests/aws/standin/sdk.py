"""Which properties a resource has and what they hold, read off the SDK that is installed (pulumi_aws, pulumi_random).

The classes that the SDK generates from the provider's schema carry the engine's names, the types, and, as keyword
arguments without a default, what is required.
"""

from __future__ import annotations

import collections.abc
import functools
import importlib
import inspect
import typing
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi
from pulumi import _types as generated  # pyright: ignore[reportPrivateUsage]

from commands.property_values import FileValue, UnknownValue
from tests.aws.standin.paths import is_list, is_object
from tests.aws.standin.problem import Problem
from tests.aws.standin.tables import types

_SCALARS: Mapping[type, tuple[type, ...]] = {str: (str,), bool: (bool,), int: (int,), float: (int, float)}
_WORDS: Mapping[type, str] = {str: "a string", bool: "a boolean", int: "a whole number", float: "a number"}


@functools.cache
def import_all() -> None:
    """Load the SDK's modules of all known types, which warn of their own deprecated parts while they load.

    Importing one only finds it (pulumi's lazy import); reading from it loads it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for known in types().values():
            module, _, name = known.sdk.rpartition(".")
            getattr(importlib.import_module(module), name)


def resource_class(token: str) -> Any:
    module, _, name = types()[token].sdk.rpartition(".")
    import_all()
    return getattr(importlib.import_module(module), name)


def problems_with(token: str, inputs: Mapping[str, Any]) -> list[Problem]:
    """Properties that the type does not have, those that are missing, and values of another type than the SDK's."""
    return list(_object(arguments_class(token), inputs, ""))


@functools.cache
def arguments_class(token: str) -> Any:
    module, _, name = types()[token].sdk.rpartition(".")
    import_all()
    return getattr(importlib.import_module(module), f"{name}Args")


@functools.cache
def input_types(arguments: Any) -> Mapping[str, Any]:
    """Each property's type by its name in the engine."""
    return generated.input_type_types(arguments)


@functools.cache
def required(arguments: Any) -> frozenset[str]:
    names = generated.input_type_py_to_pulumi_names(arguments)
    parameters = list(inspect.signature(arguments.__init__).parameters.values())[1:]
    return frozenset(names[one.name] for one in parameters if one.default is inspect.Parameter.empty)


@functools.cache
def output_names(token: str) -> frozenset[str]:
    """What a resource has as an output and not as an input."""
    outputs = generated.resource_types(resource_class(token))
    return frozenset(outputs) - frozenset(input_types(arguments_class(token))) - {"tagsAll"}


def shape_of(declared: Any) -> Any:
    """A declared type without `Input`, `Optional` and enums; of a choice, the first."""
    shape = generated.unwrap_type(declared)
    while typing.get_origin(shape) is typing.Union:
        shape = next(
            one
            for one in typing.get_args(shape)
            if one is not type(None)
            and typing.get_origin(one) not in (collections.abc.Awaitable, pulumi.Output)
            and one is not pulumi.Output
        )
        shape = generated.unwrap_type(shape)
    return shape


@functools.cache
def is_taggable(token: str) -> bool:
    """Whether the provider's default tags reach the resource."""
    return "tagsAll" in generated.resource_types(resource_class(token))


def _object(arguments: Any, value: Mapping[str, Any], where: str) -> Iterator[Problem]:
    known = input_types(arguments)
    for name, item in value.items():
        path = f"{where}.{name}" if where else name
        if name not in known:
            yield Problem(path, f"{arguments.__name__.removesuffix('Args')} has no property {name!r}")
        elif item is not None:
            yield from _value(known[name], item, path)
    for name in sorted(required(arguments) - value.keys()):
        yield Problem(f"{where}.{name}" if where else name, "Missing required argument")


def _value(declared: Any, value: Any, where: str) -> Iterator[Problem]:
    if isinstance(value, UnknownValue):
        return
    shape = shape_of(declared)
    origin = typing.get_origin(shape)
    if origin in (list, collections.abc.Sequence):
        if not is_list(value):
            yield Problem(where, f"expected a list, got {_said(value)}")
            return
        for index, item in enumerate(value):
            yield from _value(typing.get_args(shape)[0], item, f"{where}[{index}]")
    elif origin in (dict, collections.abc.Mapping):
        if not is_object(value):
            yield Problem(where, f"expected an object, got {_said(value)}")
            return
        for key, item in value.items():
            yield from _value(typing.get_args(shape)[1], item, f"{where}[{key!r}]")
    elif inspect.isclass(shape) and generated.is_input_type(shape):
        if not is_object(value):
            yield Problem(where, f"expected an object, got {_said(value)}")
            return
        yield from _object(shape, value, where)
    elif inspect.isclass(shape) and issubclass(shape, (pulumi.Asset, pulumi.Archive)):
        if not isinstance(value, FileValue):
            yield Problem(where, f"expected an asset or an archive, got {_said(value)}")
    elif shape in _SCALARS and not _is(value, shape):
        yield Problem(where, f"expected {_WORDS[shape]}, got {_said(value)}")


def _is(value: Any, scalar: type) -> bool:
    if isinstance(value, bool) and scalar is not bool:
        return False
    return isinstance(value, _SCALARS[scalar])


def _said(value: Any) -> str:
    return f"{type(value).__name__} {value!r}"
