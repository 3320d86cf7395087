"""`response_format`: which grammar holds the answer to it (translation.md §2.8)."""

from __future__ import annotations

from typing import Any

from gateway_lambda.errors import RequestError, invalid_value, unsupported_value
from gateway_lambda.openai.fields import mapping, string

_PARAM = "response_format"
_NESTED = 2
"""Levels below the top object that the `json_object` grammar admits. Its regex quadruples with each."""


def grammar_of(value: Any, json_object: str) -> dict[str, Any] | None:
    """TGI's grammar for a `response_format`; None for plain text. `json_object` is the model record's word for it.

    Also takes TGI's own dialect, where the schema is `value`. Raises `RequestError`.
    """
    given = mapping(value, _PARAM)
    kind = string(given.get("type"), f"{_PARAM}.type")
    if kind == "text":
        return None
    if kind == "regex":
        pattern = string(given.get("value"), f"{_PARAM}.value")
        if not pattern:
            raise invalid_value(f"{_PARAM}.value", pattern, "a regular expression")
        return {"type": "regex", "value": pattern}
    if kind in ("json", "json_object", "json_schema") and given.get("value") is not None:
        return json_grammar(given["value"], f"{_PARAM}.value")
    if kind == "json_schema":
        described = mapping(given.get("json_schema"), f"{_PARAM}.json_schema")
        return json_grammar(described.get("schema"), f"{_PARAM}.json_schema.schema")
    if kind != "json_object":
        raise unsupported_value(_PARAM, f"type {kind[:40]!r} is not known; use json_schema, regex or text")
    if json_object == "reject":
        raise unsupported_value(_PARAM, "json_object is not supported by this model; use json_schema with a schema")
    return {"type": "regex", "value": _json_object_regex()}


def json_grammar(schema: Any, param: str) -> dict[str, Any]:
    """TGI's grammar for a JSON schema, which has to describe an object. Raises `RequestError`."""
    given = mapping(schema, param)
    if given.get("type", "object") != "object" or type(given.get("properties")) is not dict:
        raise RequestError(
            f"{param}: want the schema of an object with `properties` at its top; name at least one",
            "invalid_value",
            param=param,
        )
    return {"type": "json", "value": given}


def _json_object_regex() -> str:
    blank = "[ \\n]{0,8}"
    text = '"([^"\\\\\\x00-\\x1f]|\\\\["\\\\/bfnrt]|\\\\u[0-9a-fA-F]{4})*"'
    value = f"({text}|-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?|true|false|null)"
    thing = ""
    for _ in range(_NESTED + 1):
        pair = f"{text}{blank}:{blank}{value}"
        thing = f"\\{{{blank}({pair}({blank},{blank}{pair})*)?{blank}\\}}"
        array = f"\\[{blank}({value}({blank},{blank}{value})*)?{blank}\\]"
        value = f"({value}|{thing}|{array})"
    return thing
