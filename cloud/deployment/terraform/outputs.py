"""Terraform's state in Pulumi's words: the outputs that a program expects of a resource or a function.

Pulumi's SDK (pulumi_aws) says which outputs there are and how each is shaped. `translation` says what Terraform calls
them. So an output that Terraform does not have under a known name is an error.
"""

from __future__ import annotations

import collections.abc
import functools
import importlib
import inspect
import sys
import threading
import typing
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from pulumi import _types as generated  # pyright: ignore[reportPrivateUsage]

from cloud.deployment.terraform.translation import camel, is_newer, terraform_name
from cloud.deployment.terraform.values import Block, is_list, is_object
from commands.property_values import SecretValue, UnknownValue

_PYTHON = {"lambda": "lambda_", "index": ""}
"""Modules of Pulumi whose name in Python differs."""
Read = Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any]]
"""Translates an object of Terraform, from its value and the shapes of its properties."""
_IMPORTING = threading.Lock()
"""The SDK loads its modules when they are read, and two threads that do so at once see half of one."""
_LISTS = (list, collections.abc.Sequence)
_MAPS = (dict, collections.abc.Mapping)


def outputs(type: str, block: Block, state: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs of a resource whose Terraform state is `state`, without what only 6.x has.

    Sensitive ones are `SecretValue`. A LookupError names an output that Terraform does not have.
    """
    return _object(type, "", block, state, resource_outputs(type))


def results(token: str, block: Block, state: Mapping[str, Any]) -> dict[str, Any]:
    """What a function returns, `aws:ec2/getSubnets:getSubnets`."""
    return _object(token, "", block, state, function_outputs(token))


@functools.cache
def resource_outputs(type: str) -> Mapping[str, Any]:
    """The shape of each output of a resource type by its name."""
    return generated.resource_types(_member(type, type.rpartition(":")[2]))


@functools.cache
def function_outputs(token: str) -> Mapping[str, Any]:
    kind = token.rpartition(":")[2]
    _member(token, function := _python_name(kind))
    module = sys.modules[".".join(filter(None, ("pulumi_aws", _module(token), function)))]
    return generated.output_type_types(getattr(module, f"{kind[0].upper()}{kind[1:]}Result"))


def _member(token: str, name: str) -> Any:
    """A class or a function of the SDK, whose modules warn of their own deprecated parts while they load."""
    with _IMPORTING, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return getattr(importlib.import_module(".".join(filter(None, ("pulumi_aws", _module(token))))), name)


def _module(token: str) -> str:
    module = token.split(":")[1].partition("/")[0]
    return _PYTHON.get(module, module)


def _python_name(kind: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in kind)


def _object(type: str, where: str, block: Block, state: Mapping[str, Any], shapes: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for property, shape in shapes.items():
        path = f"{where}.{property}" if where else property
        if is_newer(type, path):
            continue
        name = terraform_name(type, where, block, property)
        value = state.get(name)
        if name in block.blocks:
            of = block.blocks[name].block
            one = _shaped(shape, value, _of_block(type, path, of))
        else:
            one = _shaped(shape, value, _of_attribute)
            if one is not None and block.attributes[name].sensitive:
                one = SecretValue(one)
        if one is not None:
            made[property] = one
    return made


def _of_block(type: str, where: str, block: Block) -> Read:
    def read(item: Mapping[str, Any], shapes: Mapping[str, Any]) -> dict[str, Any]:
        return _object(type, where, block, item, shapes)

    return read


def _of_attribute(item: Mapping[str, Any], shapes: Mapping[str, Any]) -> dict[str, Any]:
    """Objects within an attribute have no schema of their own: their names are Terraform's in camel case."""
    names = {camel(name): name for name in item}
    there = {property: (shape, item.get(names.get(property, ""))) for property, shape in shapes.items()}
    made = {property: _shaped(shape, value, _of_attribute) for property, (shape, value) in there.items()}
    return {property: value for property, value in made.items() if value is not None}


def _shaped(declared: Any, value: Any, read: Read) -> Any:
    """`value` as `declared` has it; `read` translates objects."""
    shape = generated.unwrap_type(declared)
    origin = typing.get_origin(shape)
    if value is None or isinstance(value, UnknownValue):
        return value
    if origin in _LISTS:
        of = typing.get_args(shape)[0]
        return [_shaped(of, one, read) for one in (value if is_list(value) else [value])]
    if origin in _MAPS:
        of = typing.get_args(shape)[1]
        return {key: _shaped(of, one, read) for key, one in value.items()} if is_object(value) else None
    if is_list(value):  # Terraform's list with at most one item
        return _shaped(declared, value[0], read) if value else None
    if inspect.isclass(shape) and generated.is_output_type(shape):
        return read(value, generated.output_type_types(shape))
    return _scalar(shape, value)


def _scalar(shape: Any, value: Any) -> Any:
    if shape is str and isinstance(value, bool):
        return "true" if value else "false"
    if shape is str and isinstance(value, (int, float)):
        return str(value)
    if shape is int and isinstance(value, str) and value.lstrip("-").isdigit():
        return int(value)
    if shape is bool and value in ("true", "false"):
        return value == "true"
    return value
