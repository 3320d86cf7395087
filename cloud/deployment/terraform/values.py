"""Terraform's values: plain Python values of a schema's shape, as msgpack on the wire.

An object has all its attributes; one that is not set is null. What is not known yet is msgpack's extension type 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from msgspec import msgpack

from commands.property_values import UNKNOWN, UnknownValue

Type = str | list[Any]
"""`string`, `number`, `bool`, `dynamic`, `[list, T]`, `[set, T]`, `[map, T]` or `[object, {name: T}]`."""
LISTS = ("list", "set")
_UNKNOWN = msgpack.Ext(0, b"\0")


@dataclass(frozen=True)
class Attribute:
    name: str
    type: Type
    required: bool
    optional: bool
    computed: bool
    sensitive: bool = False


@dataclass(frozen=True)
class Nested:
    """A block within a block: one (`single`), or a `list` or `set` of them."""

    name: str
    block: Block
    nesting: str
    least: int
    most: int
    """0: any number."""


@dataclass(frozen=True)
class Block:
    attributes: Mapping[str, Attribute]
    blocks: Mapping[str, Nested]


def is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def is_object(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)


def encoded(value: Any) -> bytes:
    return msgpack.encode(_marked(value))


def decoded(data: bytes) -> Any:
    return msgpack.decode(data, ext_hook=lambda code, _: UNKNOWN)


def whole(block: Block, given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` with null for each attribute that is not set, and the empty value for blocks that are not set."""
    value = {name: _whole_attribute(one.type, given.get(name)) for name, one in block.attributes.items()}
    return value | {name: _whole_blocks(one, given.get(name)) for name, one in block.blocks.items()}


def proposed(block: Block, config: Mapping[str, Any], prior: Mapping[str, Any] | None) -> dict[str, Any]:
    """What Terraform proposes to the provider: `config`, and for what is computed the prior value, or null. What is not
    known yet, the provider says itself (terraform internal/plans/objchange, ProposedNew).

    In a block within a list, the prior value is that of the same position. In a set, it is that of a block with the
    same settings.
    """
    value: dict[str, Any] = {}
    for name, one in block.attributes.items():
        set_here = config[name]
        if set_here is None and one.computed:
            set_here = None if prior is None else prior.get(name)
        value[name] = set_here
    for name, nested in block.blocks.items():
        before = None if prior is None else prior.get(name)
        value[name] = _proposed_blocks(nested, config[name], before)
    return value


def _proposed_blocks(nested: Nested, config: Any, prior: Any) -> Any:
    if config is None or isinstance(config, UnknownValue):
        return config
    if nested.nesting == "single":
        return proposed(nested.block, config, prior)
    there = [one for one in prior if is_object(one)] if is_list(prior) else []
    if nested.nesting == "set":
        return [proposed(nested.block, one, _same(nested.block, one, there)) for one in config]
    return [
        proposed(nested.block, one, there[index] if index < len(there) else None) for index, one in enumerate(config)
    ]


def _same(block: Block, config: Any, there: list[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The one of `there` that has all that `config` sets."""
    set_here = {name: config[name] for name in block.attributes if config[name] is not None}
    return next((one for one in there if all(one.get(name) == value for name, value in set_here.items())), None)


def _whole_attribute(type: Type, value: Any) -> Any:
    if value is None or isinstance(value, (UnknownValue, str)) or isinstance(type, str):
        return value
    kind, of = type
    if kind in LISTS:
        return [_whole_attribute(of, one) for one in value]
    if kind == "map":
        return {key: _whole_attribute(of, one) for key, one in value.items()}
    return {name: _whole_attribute(one, value.get(name)) for name, one in of.items()}


def _whole_blocks(nested: Nested, value: Any) -> Any:
    if isinstance(value, UnknownValue):
        return value
    if nested.nesting == "single":
        return None if value is None else whole(nested.block, value)
    return [one if isinstance(one, UnknownValue) else whole(nested.block, one) for one in value or ()]


def _marked(value: Any) -> Any:
    if isinstance(value, UnknownValue):
        return _UNKNOWN
    if is_list(value):
        return [_marked(one) for one in value]
    if is_object(value):
        return {key: _marked(one) for key, one in value.items()}
    return value
