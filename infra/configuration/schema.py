"""The JSON Schema of configurations, for editors: both types, short and long forms, refused keys with reasons."""

from __future__ import annotations

from typing import Any, cast

from pydantic.json_schema import models_json_schema

from infra.configuration.gateway import GatewayConfiguration
from infra.configuration.service import ServiceConfiguration


def configuration_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12). It does not check rules between values, such as scaling and replicas."""
    _, schema = models_json_schema(
        [(ServiceConfiguration, "validation"), (GatewayConfiguration, "validation")], ref_template="#/$defs/{model}"
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A servestack configuration",
        "description": "*.dstack.yml, of type service or gateway",
        "type": "object",
        "required": ["type"],
        "if": {"properties": {"type": {"const": "gateway"}}, "required": ["type"]},
        "then": {"$ref": "#/$defs/GatewayConfiguration"},
        "else": {"$ref": "#/$defs/ServiceConfiguration"},
        "$defs": {name: _without_titles(definition) for name, definition in schema["$defs"].items()},
    }


def _without_titles(schema: Any) -> Any:
    """Return the schema without titles. pydantic makes the title of a field from its name, which says nothing new."""
    if isinstance(schema, list):
        return [_without_titles(item) for item in cast(list[Any], schema)]
    if not isinstance(schema, dict):
        return schema
    given = cast(dict[str, Any], schema)
    return {key: _without_titles(item) for key, item in given.items() if key != "title" or not isinstance(item, str)}
