"""Refusing JSON schemas that would bring a replica down.

TGI's router turns a schema into one regular expression and puts every `$ref` in place. It does so without a limit: a
schema that contains itself ends the router's process (stack overflow), and a kilobyte of schema can become gigabytes
of expression. Both were tried with TGI 3.3.7. Here the length is foreseen instead, with the rules by which
outlines-core builds it; only what is far outside of what could be compiled is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from gateway_lambda.errors import RequestError

LONGEST = 1_000_000
"""Characters of regular expression. TGI's shard needs minutes for a tenth of that."""
DEEPEST = 64
"""Schemas in one another, references followed."""

_ANY_VALUE = 20_000
_ANY_OBJECT = 6_500
_ANY_LIST = 6_500
_SCALAR = 60
"""Characters of what outlines-core writes for `{}`, `{"type": "object"}`, `{"type": "array"}`, a scalar type."""


def check_size(schema: Mapping[str, Any], param: str) -> None:
    """Raise `RequestError` naming `param` when the schema is too large, too deep, or contains itself."""
    if _Sizing(schema, param).size(schema, 0) > LONGEST:
        raise _refusal(param, f"the schema is too large: written out it has more than {LONGEST} characters")


class _Sizing:
    def __init__(self, root: Mapping[str, Any], param: str) -> None:
        self._root = root
        self._param = param
        self._known: dict[str, int] = {}
        self._open: set[str] = set()

    def size(self, schema: object, depth: int) -> int:
        """Characters. Stops adding soon after `LONGEST`."""
        if depth > DEEPEST:
            raise _refusal(self._param, f"the schema has more than {DEEPEST} levels")
        if not isinstance(schema, dict):
            return 1
        found = cast("dict[str, Any]", schema)
        if not found:
            return _ANY_VALUE
        if isinstance(found.get("properties"), dict):
            return self._properties(found, depth)
        for key in ("allOf", "anyOf", "oneOf", "prefixItems"):
            if key in found:
                return self._sum(found[key], depth)
        for key in ("enum", "const"):
            if key in found:
                return 2 * len(msgspec.json.encode(found[key]))
        if "$ref" in found:
            return self._referenced(found["$ref"], depth)
        return self._typed(found, depth)

    def _properties(self, schema: Mapping[str, Any], depth: int) -> int:
        properties: dict[str, Any] = schema["properties"]
        total = sum(30 + 2 * len(name) for name in properties) + self._sum(list(properties.values()), depth)
        required = schema.get("required")
        named = cast("list[object]", required) if isinstance(required, list) else []
        if any(isinstance(name, str) and name in properties for name in named):
            return total
        return total * max(1, len(properties))

    def _sum(self, schemas: object, depth: int) -> int:
        total = 0
        for schema in cast("Sequence[object]", schemas) if isinstance(schemas, list) else ():
            total += self.size(schema, depth + 1)
            if total > LONGEST:
                break
        return total

    def _referenced(self, reference: object, depth: int) -> int:
        """A reference that leads nowhere counts nothing: TGI says so itself."""
        if not isinstance(reference, str) or not reference.startswith("#"):
            return 1
        if reference in self._open:
            raise _refusal(self._param, f"the schema contains itself at $ref {reference[:200]!r}")
        if reference not in self._known:
            self._open.add(reference)
            self._known[reference] = self.size(_at(self._root, reference), depth + 1)
            self._open.discard(reference)
        return self._known[reference]

    def _typed(self, schema: Mapping[str, Any], depth: int) -> int:
        kind = schema.get("type")
        if kind == "object":
            more = schema.get("additionalProperties")
            return _ANY_OBJECT if more is None or more is True else 2 * self.size(more, depth + 1) + 200
        if kind == "array":
            return 2 * self.size(schema["items"], depth + 1) + 30 if "items" in schema else _ANY_LIST
        pattern = schema.get("pattern")
        return _SCALAR + (len(pattern) if isinstance(pattern, str) else 0)


def _at(root: Mapping[str, Any], reference: str) -> object:
    """What outlines-core finds: plain keys between slashes, nothing unescaped."""
    found: object = root
    for part in filter(None, reference[1:].split("/")):
        if not isinstance(found, dict):
            return None
        found = cast("dict[str, object]", found).get(part)
    return found


def _refusal(param: str, what: str) -> RequestError:
    rule = "the upstream makes one regular expression of it, which is finite; make it smaller and without recursion"
    return RequestError(f"{param}: {what}; {rule}", "unsupported_value", param=param)
