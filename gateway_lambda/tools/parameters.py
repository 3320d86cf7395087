"""A client's schema, in words that TGI's compiler knows: a function's parameters, or a response format.

`$ref` starts at the root of a schema, so references get the path of the client's schema in the whole schema. TGI
refuses some parts of JSON Schema with "cannot compile". They are written in another way with the same meaning:

`"type": ["string", "null"]`           → `anyOf`, with each keyword beside its type
`true`, or a description alone         → any value (in an `anyOf`: TGI puts no brackets around `{}`)
no properties, no additional ones      → `"properties": {}`
`"format"` other than the four it has  → left out; JSON Schema calls it an annotation
`const` and `enum` with lists, objects → `prefixItems` and `properties` of constants
`"pattern": "^a"`                      → without the anchor: TGI matches the whole string
`anyOf` that has only rules beside it  → left out if there is a type; TGI enforces no such rules

Each part of the schema is written once, so the result has nearly the size of the input.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from gateway_lambda.errors import RequestError, invalid_type, unsupported_value
from gateway_lambda.tools.schema_size import DEEPEST

_ONE = frozenset(("items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else"))
_SEVERAL = frozenset(("anyOf", "oneOf", "allOf", "prefixItems"))
_NAMED = frozenset(("properties", "patternProperties", "$defs", "definitions", "dependentSchemas"))
"""Keywords whose value is a schema, a list of them, an object of them. Elsewhere `$ref` may be anything."""

_COMPILED = frozenset(("properties", "allOf", "anyOf", "oneOf", "prefixItems", "enum", "const", "$ref", "type"))
"""TGI's compiler refuses a schema without any of these keywords."""
_FIRST = frozenset(("properties", "allOf", "anyOf", "oneOf", "prefixItems"))
"""If a schema has one of these, TGI's compiler reads no `enum` and no `const`."""
_SAYS: Mapping[str, frozenset[str]] = {
    "string": frozenset(("minLength", "maxLength", "pattern", "format")),
    "array": frozenset(("items", "contains", "minItems", "maxItems", "uniqueItems", "depth")),
    "object": frozenset(
        (
            *("properties", "additionalProperties", "patternProperties", "propertyNames", "dependentSchemas"),
            *("required", "minProperties", "maxProperties"),
        )
    ),
    "integer": frozenset(("minDigits", "maxDigits")),
    "number": frozenset(
        (
            *("minDigitsInteger", "maxDigitsInteger", "minDigitsFraction", "maxDigitsFraction"),
            *("minDigitsExponent", "maxDigitsExponent"),
        )
    ),
}
"""Keywords of one type. None of them belongs to two types, so none is ever copied."""
RESTRICTS = (_COMPILED - {"type"}) | (_SAYS["object"] - {"additionalProperties"}) | {"not", "if"}
"""Keywords that restrict an object further. `additionalProperties` restricts it only with some values."""
_FORMATS = frozenset(("date-time", "date", "time", "uuid"))
_ANYTHING: Mapping[str, Any] = {"anyOf": [{}]}


def relocated(parameters: Mapping[str, Any], base: str, param: str) -> dict[str, Any]:
    """Return a copy for use below `base`, the path of the parameters in the whole schema (`#/$defs/f`).

    Raises `RequestError`, which names `param`, for references to other documents and for schemas that are too deep.
    """
    copy = _schema(parameters, base, param, 0)
    copy.pop("$id", None)
    copy.pop("$schema", None)
    return copy


def has_references(schema: object) -> bool:
    """Return whether the schema has a `$ref` anywhere."""
    if isinstance(schema, list):
        return any(map(has_references, cast("list[object]", schema)))
    if not isinstance(schema, dict):
        return False
    found = cast("dict[str, object]", schema)
    return "$ref" in found or any(map(has_references, found.values()))


def _schema(schema: Mapping[str, Any], base: str, param: str, depth: int) -> dict[str, Any]:
    if depth > DEEPEST:
        raise unsupported_value(param, f"the schema has more than {DEEPEST} levels; use fewer")
    schema = _without_rules(schema, param)
    if schema and not _COMPILED & schema.keys():
        return dict(_ANYTHING)
    kinds = schema.get("type")
    if isinstance(kinds, list) and not (_COMPILED - {"type", "properties"}) & schema.keys():
        return _by_type(schema, cast("list[object]", kinds), base, param, depth)
    if not _FIRST & schema.keys() and _has_structure(schema):
        return _constants(schema)
    copy = {key: _value(key, value, base, param, depth + 1) for key, value in schema.items()}
    if copy.get("type") == "object" and copy.get("additionalProperties") is False:
        copy.setdefault("properties", {})
    if not isinstance(copy.get("format"), str) or copy["format"] not in _FORMATS:
        copy.pop("format", None)
    if isinstance(copy.get("pattern"), str):
        copy["pattern"] = _whole_match(copy["pattern"])
    return copy


def _without_rules(schema: Mapping[str, Any], param: str) -> Mapping[str, Any]:
    """The schema without alternatives that TGI cannot compile, such as `{"required": ["a"]}`, where a type says more.

    TGI writes the parts of `allOf` one behind the other. So only one of them can have anything to compile.
    """
    found = dict(schema)
    for key in ("anyOf", "oneOf"):
        if "type" in found and isinstance(found.get(key), list) and not any(map(_compiles, found[key])):
            del found[key]
    if isinstance(found.get("allOf"), list):
        found["allOf"] = [part for part in found["allOf"] if _compiles(part)]
        if not found["allOf"]:
            del found["allOf"]
        elif len(found["allOf"]) > 1 and "properties" not in found:
            rule = "allOf with several schemas cannot be compiled by the upstream; write one schema with all of it"
            raise unsupported_value(param, rule)
    return found


def _compiles(schema: object) -> bool:
    return isinstance(schema, dict) and bool(_COMPILED & cast("dict[str, Any]", schema).keys())


def _has_structure(schema: Mapping[str, Any]) -> bool:
    """Whether a list or an object is among the constants, which TGI's compiler refuses."""
    values = schema.get("enum", [schema.get("const")])
    return isinstance(values, list) and any(isinstance(value, (list, dict)) for value in cast("list[object]", values))


def _constants(schema: Mapping[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in schema.items() if key not in ("enum", "const", "type")}
    values = cast("list[object]", schema["enum"]) if "enum" in schema else [schema["const"]]
    return {**rest, "anyOf": [_constant(value) for value in values]}


def _constant(value: object) -> dict[str, Any]:
    """A schema for one value. The request's JSON is at most 200 levels deep, so this recursion ends."""
    if isinstance(value, dict):
        properties = {name: _constant(inner) for name, inner in cast("dict[str, object]", value).items()}
        return {"type": "object", "properties": properties, "required": list(properties)}
    if isinstance(value, list):
        parts = [_constant(inner) for inner in cast("list[object]", value)]
        return {"prefixItems": parts} if parts else {"type": "array", "items": dict(_ANYTHING), "maxItems": 0}
    return {"const": value}


def _whole_match(pattern: str) -> str:
    """The pattern without an anchor at one end alone, which TGI's compiler would keep. It removes two itself."""
    if pattern.startswith("^"):
        return pattern if pattern.endswith("$") else pattern[1:]
    return pattern[:-1] if pattern.endswith("$") and not pattern.endswith("\\$") else pattern


def _by_type(schema: Mapping[str, Any], kinds: list[object], base: str, param: str, depth: int) -> dict[str, Any]:
    """A schema that has several types as one schema a type."""
    rest = dict(schema)
    del rest["type"]
    parts: list[dict[str, Any]] = []
    for kind in dict.fromkeys(_kind(kind, param) for kind in kinds):
        said = {key: rest.pop(key) for key in _SAYS.get(kind, ()) if key in rest}
        parts.append(_schema({"type": kind, **said}, base, param, depth + 1))
    return {**{key: _value(key, value, base, param, depth + 1) for key, value in rest.items()}, "anyOf": parts}


def _kind(kind: object, param: str) -> str:
    if not isinstance(kind, str):
        raise invalid_type(param, kind, "only names of types in a list of types")
    return kind


def _value(key: str, value: Any, base: str, param: str, depth: int) -> Any:
    if key == "$ref":
        return _reference(value, base, param)
    if key in _ONE:
        return value if key == "additionalProperties" and value is False else _any(value, base, param, depth)
    if key in _SEVERAL and isinstance(value, list):
        return [_any(part, base, param, depth) for part in cast("list[Any]", value)]
    if key in _NAMED and isinstance(value, dict):
        named = cast("dict[str, Any]", value)
        return {name: _any(part, base, param, depth) for name, part in named.items()}
    return value


def _any(value: Any, base: str, param: str, depth: int) -> Any:
    if value is True or value == {}:
        return dict(_ANYTHING)
    return _schema(cast("dict[str, Any]", value), base, param, depth) if isinstance(value, dict) else value


def _reference(value: object, base: str, param: str) -> str:
    if isinstance(value, str) and (value == "#" or value.startswith("#/")):
        return base + value[1:]
    raise RequestError(
        f"{param}: found the $ref {str(value)[:200]!r}; use a path in this schema, for example '#/$defs/address'",
        "unsupported_value",
        param=param,
    )
