"""Which JSON schemas TGI's compiler refuses: the rules of outlines-core 0.1.26, in its order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from local.model_server.errors import ValidationError

_FORMATS = ("uuid", "date-time", "date", "time")
_PARTS = ("allOf", "anyOf", "oneOf", "prefixItems")


def check_compiles(schema: Mapping[str, Any]) -> None:
    """Raise `ValidationError` for a schema that TGI's compiler refuses, or that would end its process."""
    _Compiler(schema).check(schema)


class _Compiler:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._known: set[str] = set()
        self._open: set[str] = set()

    def check(self, schema: object) -> None:
        if not isinstance(schema, dict):
            raise _refused(f"Unsupported JSON Schema structure {json.dumps(schema)}")
        found = cast("dict[str, Any]", schema)
        if not found:
            return
        if "properties" in found:
            properties: Any = found["properties"]
            self._check_all(
                list(cast("dict[str, object]", properties).values()) if isinstance(properties, dict) else None
            )
            return
        for key in _PARTS:
            if key in found:
                self._check_all(found[key])
                return
        for key in ("enum", "const"):
            if key in found:
                _check_constants(key, found[key] if key == "enum" else [found[key]])
                return
        if "$ref" in found:
            self._check_reference(found["$ref"])
        elif "type" in found:
            self._check_type(found)
        else:
            raise _refused(f"Unsupported JSON Schema structure {json.dumps(found)}")

    def _check_all(self, schemas: object) -> None:
        if not isinstance(schemas, list):
            raise _refused("a keyword has a value of another type")
        for schema in cast("list[object]", schemas):
            self.check(schema)

    def _check_reference(self, reference: object) -> None:
        path = str(reference).rpartition("#")[2]
        if path in self._open:
            raise _refused(f"the schema contains itself at {path}, which ends TGI's process")
        if path in self._known:
            return
        target: object = self._root
        for part in filter(None, path.split("/")):
            if not isinstance(target, dict) or part not in target:
                raise _refused(f"Invalid reference path: {part}")
            target = cast("dict[str, object]", target)[part]
        self._open.add(path)
        self.check(target)
        self._open.discard(path)
        self._known.add(path)

    def _check_type(self, schema: dict[str, Any]) -> None:
        kind = schema["type"]
        if not isinstance(kind, str):
            raise _refused("'type' must be a string")
        if kind == "string":
            _check_string(schema)
        elif kind == "array" and "items" in schema:
            self.check(schema["items"])
        elif kind == "object" and schema.get("additionalProperties", True) is not True:
            self.check(schema["additionalProperties"])
        elif kind not in ("object", "array", "integer", "number", "boolean", "null"):
            raise _refused(f"Unsupported type: {kind}")


def _check_string(schema: dict[str, Any]) -> None:
    if "minLength" in schema or "maxLength" in schema:
        if schema.get("maxLength", schema.get("minLength", 0)) < schema.get("minLength", 0):
            raise _refused("maxLength must be greater than or equal to minLength")
    elif "pattern" not in schema and "format" in schema and schema["format"] not in _FORMATS:
        raise _refused(f"Format {schema['format']} is not supported by Outlines")


def _check_constants(key: str, values: object) -> None:
    for value in cast("list[object]", values) if isinstance(values, list) else ():
        if isinstance(value, (list, dict)):
            raise _refused(f"Unsupported data type in {key}: {json.dumps(value, separators=(',', ':'))}")


def _refused(problem: str) -> ValidationError:
    return ValidationError(f"cannot compile regex from schema: {problem}")
