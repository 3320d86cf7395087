"""The local model server refuses the schemas that TGI's compiler refuses, and no others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.model_server.compiling import check_compiles
from local.model_server.errors import ValidationError
from tests.gateway.tools.test_grammars import schemas
from tests.support.requirements import require


def _refuses(schema: dict[str, Any]) -> bool:
    try:
        check_compiles(schema)
    except ValidationError:
        return True
    return False


@settings(max_examples=200)
@given(schemas.map(lambda schema: {**schema, "properties": dict(list(schema["properties"].items())[:1])}) | st.just({}))
def test_the_compiler_and_the_server_refuse_the_same(schema: dict[str, Any]) -> None:
    require("outlines-core")
    from outlines_core.fsm.json_schema import build_regex_from_schema

    try:
        build_regex_from_schema(json.dumps(schema))
        refused = False
    except ValueError:
        refused = True
    assert _refuses(schema) == refused


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": ["string", "null"]}, "'type' must be a string"),
        ({"type": "string", "format": "email"}, "Format email is not supported by Outlines"),
        ({"title": "t"}, 'Unsupported JSON Schema structure {"title": "t"}'),
        ({"type": "nothing"}, "Unsupported type: nothing"),
        ({"const": [1]}, "Unsupported data type in const: [1]"),
        ({"$ref": "#/$defs/none"}, "Invalid reference path: $defs"),
        ({"$ref": "#"}, "the schema contains itself at , which ends TGI's process"),
    ],
)
def test_a_refusal_has_tgis_words(schema: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        check_compiles({"properties": {"a": schema}})
    assert str(refused.value) == f"Input validation error: cannot compile regex from schema: {said}"
