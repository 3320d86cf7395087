"""Refusing JSON schemas that would bring a replica down.

TGI's router turns a schema into one regular expression and replaces every `$ref`, without a limit. A schema that
contains itself ends the router's process (stack overflow), and a kilobyte of schema can become gigabytes of expression.
Both were tested with TGI 3.3.7. Here the length is computed before, with the rules by which outlines-core builds it.
Only schemas that are far too large to compile are refused.

Each schema is read once, and so is the target of each `$ref`, also if several lead to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import msgspec

from gateway_lambda.errors import RequestError

LONGEST = 1_000_000
"""Characters of regular expression. TGI's shard needs minutes for a tenth of that."""
DEEPEST = 64
"""Levels of schemas, references followed."""

# Characters of what outlines-core writes, or a little more.
_ANY_VALUE = 13_200
_ANY_AT_DEPTH = (350, 1_600, 6_600)
"""For a list or an object of anything, by its `depth`, which is 2 unless the schema says otherwise. A level more is
four times as long."""
_SCALAR = {"string": 80, "number": 50, "integer": 20, "boolean": 12, "null": 4}
_BY_FORMAT = 140
_BY_DIGITS = 160
"""For a string with a `format`, and for a number that says how many digits it has."""
_FRAME = 200
"""What is written around the schemas of a list's items and of an object's values."""


class Size(NamedTuple):
    """The length of the expression in `characters`, and the `levels` of schemas."""

    characters: int
    levels: int


def check_size(schema: Mapping[str, Any], param: str, root: Mapping[str, Any] | None = None) -> int:
    """Return the length of the expression for `schema`, or somewhat more.

    `root`: the schema from which its references start, if it is another one. Raises `RequestError`, which names
    `param`, if the schema is too large, too deep, or contains itself.
    """
    size = _Sizing(schema if root is None else root, param).size(schema, 0)
    if size.characters > LONGEST:
        raise too_large(param)
    return size.characters


def too_large(param: str) -> RequestError:
    """Return the error for a schema, or several together, above `LONGEST`."""
    return _refusal(param, f"the schema is too large: its regular expression has more than {LONGEST} characters")


class _Sizing:
    def __init__(self, root: Mapping[str, Any], param: str) -> None:
        self._root = root
        self._param = param
        self._known: dict[tuple[str, ...], Size] = {}
        self._open: set[tuple[str, ...]] = set()

    def size(self, schema: object, depth: int) -> Size:
        """Stops adding soon after `LONGEST`."""
        self._check_levels(depth)
        if not isinstance(schema, dict):
            return Size(1, 1)
        found = cast("dict[str, Any]", schema)
        if not found:
            return Size(_ANY_VALUE, 1)
        if "properties" in found:
            return self._properties(found, depth)
        for key in ("allOf", "anyOf", "oneOf", "prefixItems"):
            if key in found:
                return self._sum(found[key], depth, 12)
        for key in ("enum", "const"):
            if key in found:
                return Size(2 * len(msgspec.json.encode(found[key])), 1)
        if "$ref" in found:
            return self._referenced(found["$ref"], depth)
        kinds = found.get("type")
        if isinstance(kinds, list):
            names = [kind for kind in cast("list[object]", kinds) if isinstance(kind, str)]
            return self._joined(self._typed(found, kind, depth) for kind in dict.fromkeys(names))
        return self._typed(found, kinds, depth)

    def _properties(self, schema: Mapping[str, Any], depth: int) -> Size:
        if not isinstance(schema["properties"], dict):
            return Size(1, 1)
        properties = cast("dict[str, object]", schema["properties"])
        values = self._sum(list(properties.values()), depth, 30)
        total = values.characters + 2 * sum(map(len, properties)) + 15
        required = schema.get("required")
        named = cast("list[object]", required) if isinstance(required, list) else []
        if any(isinstance(name, str) and name in properties for name in named):
            return Size(total, values.levels)
        return Size(total * max(1, len(properties)), values.levels)

    def _sum(self, schemas: object, depth: int, around: int) -> Size:
        """`around`: characters beside each schema."""
        given = cast("Sequence[object]", schemas) if isinstance(schemas, list) else ()
        return self._joined((self.size(schema, depth + 1) for schema in given), around)

    def _joined(self, sizes: Iterable[Size], around: int = 12) -> Size:
        total, levels = around, 0
        for size in sizes:
            total += size.characters + around
            levels = max(levels, size.levels)
            if total > LONGEST:
                break
        return Size(total, levels + 1)

    def _referenced(self, reference: object, depth: int) -> Size:
        """A reference that leads nowhere counts nothing: TGI says so itself."""
        if not isinstance(reference, str):
            return Size(1, 1)
        path = _path(reference)
        if path in self._open:
            raise _refusal(self._param, f"the schema contains itself at $ref {reference[:200]!r}")
        if path not in self._known:
            self._open.add(path)
            found = self.size(_at(self._root, path), depth + 1)
            self._known[path] = Size(found.characters, found.levels + 1)
            self._open.discard(path)
        self._check_levels(depth + self._known[path].levels - 1)
        return self._known[path]

    def _typed(self, schema: Mapping[str, Any], kind: object, depth: int) -> Size:
        if kind == "object":
            more = schema.get("additionalProperties")
            return self._anything(schema) if more is None or more is True else self._framed(more, depth)
        if kind == "array":
            return self._framed(schema["items"], depth) if "items" in schema else self._anything(schema)
        if any("Digits" in key for key in schema):
            return Size(_BY_DIGITS, 1)
        pattern = schema.get("pattern")
        more = len(pattern) if isinstance(pattern, str) else 0
        plain = _SCALAR.get(kind, 1) if isinstance(kind, str) else 1
        return Size(more + (_BY_FORMAT if "format" in schema else plain), 1)

    def _framed(self, schema: object, depth: int) -> Size:
        found = self.size(schema, depth + 1)
        return Size(2 * found.characters + _FRAME, found.levels + 1)

    def _anything(self, schema: Mapping[str, Any]) -> Size:
        """A list or an object of anything; `depth` is a word of outlines-core's own."""
        depth = schema.get("depth")
        depth = depth if type(depth) is int and depth >= 0 else 2
        if depth > DEEPEST:
            raise too_large(self._param)
        if depth < len(_ANY_AT_DEPTH):
            return Size(_ANY_AT_DEPTH[depth], 1)
        return Size(_ANY_AT_DEPTH[2] * 4 ** (depth - 2), 1)

    def _check_levels(self, levels: int) -> None:
        if levels > DEEPEST:
            raise _refusal(self._param, f"the schema has more than {DEEPEST} levels")


def find_reference(root: Mapping[str, Any], reference: str) -> object:
    """What a `$ref` leads to, as outlines-core reads it; None: nothing."""
    return _at(root, _path(reference))


def _path(reference: str) -> tuple[str, ...]:
    return tuple(filter(None, reference.rpartition("#")[2].split("/")))


def _at(root: Mapping[str, Any], path: tuple[str, ...]) -> object:
    """What outlines-core finds: plain keys between slashes, nothing unescaped, whatever stands before the `#`."""
    found: object = root
    for part in path:
        if not isinstance(found, dict):
            return None
        found = cast("dict[str, object]", found).get(part)
    return found


def _refusal(param: str, what: str) -> RequestError:
    rule = "the upstream makes one finite regular expression from it; use a smaller schema without recursion"
    return RequestError(f"{param}: {what}; {rule}", "unsupported_value", param=param)
