"""TGI's grammars in the language of llama.cpp's grammar engine (llguidance): JSON Schema and regular expressions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from local.model_server.compiling import check_compiles
from local.model_server.errors import ValidationError
from local.model_server.requests import Grammar, JsonSchemaGrammar, RegexGrammar

MARK = "\u2042"
"""A character that no model begins an answer with: a probe for whether a grammar is obeyed."""

_SPACES = {"whitespace_pattern": "[ ]?"}
"""At most one space between the parts of JSON, as TGI's grammars have it; a small model fills its budget with more."""
_MAPS = ("properties", "$defs", "definitions", "patternProperties")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLE = ("items", "additionalProperties")


_ESCAPED: Mapping[str, str] = {"/": "\\/", "\n": "\\n", "\r": "\\r", "\\\n": "\\n"}


@dataclass(frozen=True)
class Guide:
    """A grammar for llama.cpp. llama.cpp ignores a grammar that it does not understand."""

    body: str
    pattern: str | None
    """The regular expression that was asked for; None for JSON."""

    @property
    def text(self) -> str:
        """The grammar."""
        return f"%llguidance {{}}\nstart: body\nbody: {self.body}"

    @property
    def probe(self) -> str:
        """The same grammar after the mark. If the first token is not of the mark, llama.cpp ignored the grammar."""
        return f'%llguidance {{}}\nstart: "{MARK}" body\nbody: {self.body}'

    def refusal(self) -> ValidationError:
        """The text for a client whose grammar was ignored."""
        if self.pattern is None:
            return ValidationError("grammar is not supported: llama.cpp cannot hold an answer to this JSON schema")
        try:
            re.compile(self.pattern)
        except re.error as error:
            return ValidationError(f"grammar is not valid: {error}")
        return ValidationError("grammar is not supported: llama.cpp cannot hold an answer to this regular expression")


def write_guide(grammar: Grammar) -> Guide:
    """Return the guide for the texts that `grammar` admits.

    Raises:
        ValidationError: TGI's checks refuse it.
    """
    if isinstance(grammar, RegexGrammar):
        return Guide(f"/{_escape(grammar.value)}/", grammar.value)
    try:
        schema = grammar.value.schema if isinstance(grammar, JsonSchemaGrammar) else _parse(grammar.value)
        text = json.dumps({**_object_of(schema), "x-guidance": _SPACES})
    except RecursionError:
        raise ValidationError("grammar is not valid: the schema is nested too deeply") from None
    return Guide(f"%json {text}", None)


def _parse(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return msgspec.json.decode(value)
        except msgspec.DecodeError as error:
            raise ValidationError(f"grammar is not valid: {error}") from None
    if isinstance(value, dict):
        return cast(dict[str, Any], value)
    raise ValidationError("grammar is not supported")


def _object_of(schema: Any) -> Mapping[str, Any]:
    """Return a schema that has `properties`, with the meaning that TGI gives it."""
    if not isinstance(schema, (dict, bool)):
        raise ValidationError(f'grammar is not valid: {json.dumps(schema)} is not of types "boolean", "object"')
    if isinstance(schema, bool) or "properties" not in schema:
        raise ValidationError("grammar is not valid: Grammar must have a 'properties' field")
    fields = cast(dict[str, Any], schema)
    for keyword, kind, name in (("properties", dict, "object"), ("required", list, "array")):
        if keyword in fields and not isinstance(fields[keyword], kind):
            raise ValidationError(f'grammar is not valid: {json.dumps(fields[keyword])} is not of type "{name}"')
    check_compiles(fields)
    return _closed(fields)


def _closed(schema: Any) -> Any:
    """Return the schema with closed objects: as in TGI, an object with `properties` has no others, unless the schema
    says so."""
    if not isinstance(schema, dict):
        return schema
    fields = dict(cast(dict[str, Any], schema))
    for keyword in _MAPS:
        if isinstance(fields.get(keyword), dict):
            fields[keyword] = {name: _closed(one) for name, one in fields[keyword].items()}
    for keyword in _LISTS:
        if isinstance(fields.get(keyword), list):
            fields[keyword] = [_closed(one) for one in fields[keyword]]
    for keyword in _SINGLE:
        if keyword in fields:
            fields[keyword] = _closed(fields[keyword])
    return {"type": "object", "additionalProperties": False, **fields} if "properties" in fields else fields


def _escape(pattern: str) -> str:
    """Return the pattern between slashes on one line."""
    pieces: list[str] = re.findall(r"\\.|[^\\]|\\$", pattern, re.DOTALL)
    return "".join(_ESCAPED.get(piece, piece) for piece in pieces)
