"""The value of an argument that a model wrote as text, by the type that the schema gives it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from gateway_lambda.tools.schema_size import DEEPEST, find_reference

_KINDS: Mapping[str, tuple[type, ...]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
    "string": (str,),
}
_PYTHON = {"True": True, "False": False, "None": None}


def typed_value(text: str, key: str, schema: Mapping[str, Any]) -> Any:
    """Return the value of argument `key` of a function with the parameters `schema`.

    Text of an argument without a type stays text, and so does text that is not of its type.
    """
    properties: object = schema.get("properties")
    found: object = cast("Mapping[str, Any]", properties).get(key) if isinstance(properties, dict) else None
    kinds = _kinds(found, schema, DEEPEST)
    if not kinds or kinds == {"string"}:
        return text
    try:
        value: Any = _PYTHON[text.strip()] if text.strip() in _PYTHON else json.loads(text, strict=False)
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return text
    if isinstance(value, float) and "integer" in kinds and "number" not in kinds and value.is_integer():
        return int(value)
    allowed = [kind for name in kinds for kind in _KINDS.get(name, ())]
    fits = type(value) in allowed and not isinstance(value, str)
    return value if fits else text


def _kinds(schema: object, root: Mapping[str, Any], levels: int) -> set[str]:
    """The names of the types that a schema allows, as far as it says."""
    if not isinstance(schema, dict) or levels == 0:
        return set()
    found = cast("dict[str, Any]", schema)
    named = found.get("type")
    if isinstance(named, str):
        return {_OTHER_NAMES.get(named, named)}
    if isinstance(named, list):
        return {_OTHER_NAMES.get(name, name) for name in cast("list[object]", named) if isinstance(name, str)}
    if isinstance(found.get("$ref"), str):
        return _kinds(find_reference(root, found["$ref"]), root, levels - 1)
    for key in ("anyOf", "oneOf", "allOf"):
        options: object = found.get(key)
        if isinstance(options, list):
            few = cast("Sequence[object]", options)[:64]
            return {name for option in few for name in _kinds(option, root, levels - 1)}
    listed: object = found.get("enum")
    values = [*cast("list[object]", listed)] if isinstance(listed, list) else []
    if "const" in found:
        values.append(found["const"])
    return {name for value in values for name, kinds in _KINDS.items() if type(value) in kinds}


_OTHER_NAMES = {
    **dict.fromkeys(("float", "double"), "number"),
    **dict.fromkeys(("int", "long"), "integer"),
    **dict.fromkeys(("str", "text"), "string"),
    **dict.fromkeys(("dict", "map"), "object"),
    **dict.fromkeys(("list", "tuple"), "array"),
    "bool": "boolean",
}
"""Names of types that JSON Schema does not have, but that clients write."""
