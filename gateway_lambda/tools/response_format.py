"""`response_format` as a grammar for TGI (docs/translation.md#response-formats).

OpenAI's form, TGI's own form (`{"type": "json", "value": schema}`) and llama.cpp's (`{"type": "json_object", "schema":
schema}`) are read. TGI itself says what it cannot compile in a schema. Only a schema that would bring TGI down is
refused here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from gateway_lambda.errors import RequestError, describe, invalid_type, invalid_value, unsupported_value
from gateway_lambda.generation.capabilities import Capabilities
from gateway_lambda.generation.fields import boolean, mapping, string
from gateway_lambda.registry.record import Model
from gateway_lambda.tools.json_object import JSON_OBJECT
from gateway_lambda.tools.parameters import RESTRICTS, relocated
from gateway_lambda.tools.schema_size import DEEPEST, LONGEST, check_size, find_reference

_KINDS = "text, json_schema, json_object, json or regex"


def of_type(value: object, param: str, model: Model) -> dict[str, Any] | None:
    """Return the grammar (`type`, `value`) for an object with a `type`; None: free text. Raises `RequestError`."""
    found = mapping(value, param)
    kind = found.get("type")
    if kind is None:
        raise invalid_type(f"{param}.type", None, f"one of {_KINDS}")
    return None if string(kind, f"{param}.type") == "text" else _grammar(kind, found, param, model)


def check_takes_grammar(capabilities: Capabilities, param: str) -> None:
    """Raise `RequestError` if the upstream has no grammars at all."""
    if not capabilities.takes_grammar:
        message = f"{param}: this version of the upstream supports only text; use text, or TGI 1.4.1 or newer"
        raise RequestError(message, "unsupported_parameter", param=param)


def _grammar(kind: str, found: dict[str, Any], param: str, model: Model) -> dict[str, Any]:
    match kind:
        case "json_schema" if found.get("json_schema") is not None:
            return of_schema(*_openai_schema(found["json_schema"], f"{param}.json_schema"), model)
        case "json_schema" | "json_object" if found.get("schema") is not None:
            return of_schema(found["schema"], f"{param}.schema", model)
        case "json_schema" if found.get("value") is None:
            raise invalid_type(f"{param}.json_schema", None, "an object with name and schema")
        case "json_object" if found.get("value") is None:
            return any_object(model, param)
        case "json" | "json_object" | "json_schema":
            return of_schema(*_tgi_schema(kind, found.get("value"), f"{param}.value"), model)
        case "regex":
            return of_expression(found.get("value"), f"{param}.value")
        case _:
            raise unsupported_value(f"{param}.type", f"found {describe(kind)}; use {_KINDS}")


def _openai_schema(value: object, param: str) -> tuple[object, str]:
    found = mapping(value, param)
    for key, check in (("name", string), ("description", string), ("strict", boolean)):
        if found.get(key) is not None:
            check(found[key], f"{param}.{key}")
    return found.get("schema"), f"{param}.schema"


def _tgi_schema(kind: str, value: object, param: str) -> tuple[object, str]:
    """TGI's `json_schema`, since 3.3, has the schema with its name beside it."""
    schema = mapping(value, param)
    if kind == "json_schema" and "properties" not in schema and isinstance(schema.get("schema"), dict):
        return schema["schema"], f"{param}.schema"
    return schema, param


def of_schema(value: object, param: str, model: Model) -> dict[str, Any]:
    """Return the grammar for a JSON schema of an object. Raises `RequestError`."""
    schema = _root(mapping(value, param), param)
    kind = schema.get("type", "object")
    if kind != "object":
        raise invalid_value(param, kind, "'object', because the upstream makes nothing else")
    if not isinstance(schema.get("properties"), dict):
        if _allows_any_object(schema):
            return any_object(model, param)
        if "properties" in schema or schema.get("additionalProperties") is not False:
            raise invalid_value(
                param, schema, "a schema with `properties` at its top, because the upstream refuses others"
            )
        schema = {**schema, "type": "object"}
    schema = relocated(schema, "#", param)
    check_size(schema, param)
    return {"type": "json", "value": schema}


def _root(schema: dict[str, Any], param: str) -> dict[str, Any]:
    """The schema that a `$ref` at the root leads to, with the root's definitions: TGI wants `properties` there."""
    found = schema
    for _ in range(DEEPEST):
        options = found.get("allOf")
        if "properties" not in found and isinstance(options, list) and len(cast("list[Any]", options)) == 1:
            target = cast("list[Any]", options)[0]
        elif "properties" not in found and isinstance(found.get("$ref"), str):
            target = find_reference(schema, found["$ref"])
        else:
            break
        if not isinstance(target, dict):
            rule = "a reference to a schema of this document, for example '#/$defs/answer'"
            raise invalid_value(param, found.get("$ref"), rule)
        found = cast("dict[str, Any]", target)
    definitions = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
    return schema if found is schema else {**found, **definitions}


def _allows_any_object(schema: Mapping[str, Any]) -> bool:
    """Whether a schema says only `{"type": "object"}`, besides titles and descriptions."""
    more = schema.get("additionalProperties", True)
    return schema.get("type") == "object" and not RESTRICTS & schema.keys() and (more is True or more == {})


def any_object(model: Model, param: str) -> dict[str, Any]:
    """Return the grammar for objects of any shape. Raises `RequestError`."""
    if model.json_object == "reject":
        rule = "this model does not support objects of any shape; use 'json_schema' with a schema of the answer"
        raise unsupported_value(param, rule)
    return {"type": "regex", "value": JSON_OBJECT}


def of_expression(value: object, param: str) -> dict[str, Any]:
    """Return the grammar for a regular expression. Raises `RequestError`."""
    expression = string(value, param)
    if not 0 < len(expression) <= LONGEST:
        raise invalid_value(param, value, f"a regular expression of 1 to {LONGEST} characters")
    return {"type": "regex", "value": expression}
