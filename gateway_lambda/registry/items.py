"""The table's items: `run#<run>` and `model#<name>` with their `record`, `key#<name>` with `sha256` and `runs`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec

from gateway_lambda.registry.record import Key, ModelClaim, Registry, Service

Attribute = Mapping[str, Any]
"""A value with its type, as DynamoDB writes it: `{"S": "…"}`."""
Item = Mapping[str, Attribute]
_Record = TypeVar("_Record", Key, ModelClaim, Service)


class Read(NamedTuple):
    """What items hold, and for each that is left out its sort key and why."""

    registry: Registry
    problems: tuple[str, ...]


class BrokenItem(ValueError):
    """It does not hold what it should; the message quotes none of its values."""


class _Page(msgspec.Struct, rename="pascal"):
    items: list[dict[str, dict[str, Any]]]


_UNREADABLE = (BrokenItem, msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def items_in(pages: Iterable[bytes]) -> list[Item]:
    """Return the items of a Query's pages. Raises `msgspec.MsgspecError`, `UnicodeDecodeError`."""
    return [item for page in pages for item in msgspec.json.decode(page, type=_Page).items]


def read_items(items: Iterable[Item]) -> Read:
    """The runs, keys and claims of model names among `items`; what else there is, such as claims of run names, is
    passed over."""
    keys: list[Key] = []
    services: list[Service] = []
    claims: list[ModelClaim] = []
    problems: list[str] = []
    for item in items:
        sort_key = str(item.get("sk", {}).get("S", ""))
        kind, _, name = sort_key.partition("#")
        try:
            if kind == "run":
                services.append(_service(item, name))
            elif kind == "key":
                keys.append(_key(item, name))
            elif kind == "model":
                claims.append(_claim(item, name))
        except _UNREADABLE as problem:
            problems.append(f"{sort_key[:100]}: {problem}")
            if kind == "model":
                # Nobody gets its requests: without a claim, the run that was registered first would.
                claims.append(ModelClaim(model=name, holders=[]))
    return Read(Registry(keys=keys, services=services, claims=claims), tuple(problems))


def plain(attribute: Attribute) -> Any:
    """Return a value without its types, as JSON has it. Raises `BrokenItem`."""
    if len(attribute) != 1:
        raise BrokenItem("a value has no type, or several")
    kind, value = next(iter(attribute.items()))
    if kind == "M":
        return {name: plain(each) for name, each in value.items()}
    if kind == "L":
        return [plain(each) for each in value]
    if kind == "N":
        return msgspec.json.decode(value)
    if kind in ("S", "SS", "BOOL"):
        return value
    if kind == "NULL":
        return None
    raise BrokenItem(f"a value of DynamoDB's type {kind!r} is not allowed here")


def _service(item: Item, run: str) -> Service:
    service = _decoded(item, "record", Service)
    if service.run != run:
        raise BrokenItem("its record belongs to another run")
    return service


def _claim(item: Item, model: str) -> ModelClaim:
    claim = _decoded(item, "record", ModelClaim)
    if claim.model != model:
        raise BrokenItem("its record belongs to another model")
    return claim


def _key(item: Item, name: str) -> Key:
    if "record" in item:
        return msgspec.structs.replace(_decoded(item, "record", Key), name=name)
    fields = {field: plain(item[field]) for field in Key.__struct_fields__ if field in item}
    return msgspec.convert({**fields, "name": name}, Key)


def _decoded(item: Item, attribute: str, kind: type[_Record]) -> _Record:
    """An attribute's object, which is a map or the JSON of one."""
    if attribute not in item:
        raise BrokenItem(f"it has no attribute {attribute!r}")
    found = plain(item[attribute])
    return msgspec.json.decode(found, type=kind) if isinstance(found, str) else msgspec.convert(found, kind)
