"""`response_format` as a grammar for TGI (docs/translation.md#response-formats).

OpenAI's form and TGI's own form (`{"type": "json", "value": schema}`) are both read. TGI itself says what it cannot
compile in a schema. Only a schema that would bring TGI down is refused here.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from gateway_lambda.errors import RequestError, describe, invalid_type, invalid_value, unsupported_value
from gateway_lambda.openai.fields import boolean, mapping, string
from gateway_lambda.registry.record import Model
from gateway_lambda.tgi.info import Facts
from gateway_lambda.tools.json_object import JSON_OBJECT
from gateway_lambda.tools.schema_size import check_size

_PARAM = "response_format"
_PIECE = 1024
"""Tokens. TGI since 3.0 generates in pieces of this size, and starts the grammar again in each piece."""

_KINDS = "text, json_schema, json_object, json or regex"


class Budget(NamedTuple):
    """The token limit of a choice.

    `send`: the value of `max_new_tokens`; None: to the end of the context. `keep`: tokens after which the answer is cut
    with finish reason `length`, because the grammar does not hold after them; None: no cut.
    """

    send: int | None
    keep: int | None


def read_response_format(value: object, model: Model, facts: Facts) -> dict[str, Any] | None:
    """Return the grammar (`type`, `value`) for the `response_format` of a request; None: free text.

    Raises `RequestError`, with the code `unsupported_parameter` if the upstream has no grammars at all.
    """
    if value is None:
        return None
    found = mapping(value, _PARAM)
    kind = found.get("type")
    if kind is None:
        raise invalid_type(f"{_PARAM}.type", None, f"one of {_KINDS}")
    if string(kind, f"{_PARAM}.type") == "text":
        return None
    grammar = _grammar(kind, found, model)
    if not facts.takes_grammar:
        message = f"{_PARAM}: this version of the upstream supports only text; use text, or TGI 1.4.1 or newer"
        raise RequestError(message, "unsupported_parameter", param=_PARAM)
    return grammar


def budget_with_grammar(asked: int | None, default: int | None, facts: Facts) -> Budget:
    """Return the token limit of a request with a grammar, from a response format or from a forced call.

    `asked`: the client's limit; `default`: the record's `default_max_tokens`.
    """
    if not facts.restarts_grammar:
        limit = default if asked is None else asked
        return Budget(limit, limit)
    if asked is None:
        limit = _PIECE if default is None else min(_PIECE, default)
        return Budget(limit, limit)
    return Budget(asked, min(_PIECE, asked))


def _grammar(kind: str, found: dict[str, Any], model: Model) -> dict[str, Any]:
    match kind:
        case "json_schema" if found.get("json_schema") is not None:
            return _of_schema(*_openai_schema(found["json_schema"]))
        case "json_schema" if found.get("value") is None:
            raise invalid_type(f"{_PARAM}.json_schema", None, "an object with name and schema")
        case "json_object" if found.get("value") is None:
            return _any_object(model)
        case "json" | "json_object" | "json_schema":
            return _of_schema(*_tgi_schema(kind, found.get("value")))
        case "regex":
            return {"type": "regex", "value": _expression(found.get("value"))}
        case _:
            raise unsupported_value(f"{_PARAM}.type", f"found {describe(kind)}; use {_KINDS}")


def _openai_schema(value: object) -> tuple[object, str]:
    param = f"{_PARAM}.json_schema"
    found = mapping(value, param)
    for key, check in (("name", string), ("description", string), ("strict", boolean)):
        if found.get(key) is not None:
            check(found[key], f"{param}.{key}")
    return found.get("schema"), f"{param}.schema"


def _tgi_schema(kind: str, value: object) -> tuple[object, str]:
    """TGI's `json_schema`, since 3.3, has the schema with its name beside it."""
    param = f"{_PARAM}.value"
    schema = mapping(value, param)
    if kind == "json_schema" and "properties" not in schema and isinstance(schema.get("schema"), dict):
        return schema["schema"], f"{param}.schema"
    return schema, param


def _of_schema(value: object, param: str) -> dict[str, Any]:
    schema = mapping(value, param)
    kind = schema.get("type", "object")
    if kind != "object":
        raise invalid_value(param, kind, "'object', because the upstream makes nothing else")
    if not isinstance(schema.get("properties"), dict):
        raise invalid_value(param, schema, "a schema with `properties` at its top, because the upstream refuses others")
    check_size(schema, param)
    return {"type": "json", "value": schema}


def _any_object(model: Model) -> dict[str, Any]:
    if model.json_object == "reject":
        rule = "this model does not support 'json_object'; use 'json_schema' with a schema of the answer"
        raise unsupported_value(_PARAM, rule)
    return {"type": "regex", "value": JSON_OBJECT}


def _expression(value: object) -> str:
    if not string(value, f"{_PARAM}.value"):
        raise invalid_value(f"{_PARAM}.value", value, "a regular expression that is not empty")
    return cast("str", value)
