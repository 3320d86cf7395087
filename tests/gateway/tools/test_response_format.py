"""`response_format` becomes a grammar, or an error that names the field (docs/translation.md#response-formats)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from gateway_lambda.errors import RequestError
from gateway_lambda.generation.budget import Budget, budget_with_grammar
from gateway_lambda.generation.capabilities import Capabilities
from gateway_lambda.registry.record import Model
from gateway_lambda.tools.answer_format import read_format
from gateway_lambda.tools.json_object import JSON_OBJECT
from tests.gateway.tools.values import json_values

NEW = Capabilities(version=(3, 3, 6))
OLD = Capabilities(version=(1, 4, 0))
UNKNOWN = Capabilities()
MODEL = Model(name="m")
REJECTING = Model(name="m", json_object="reject")
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
GRAMMAR = {"type": "json", "value": SCHEMA}


@pytest.mark.parametrize(
    ("value", "grammar"),
    [
        (None, None),
        ({"type": "text"}, None),
        ({"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": SCHEMA}}, GRAMMAR),
        ({"type": "json_schema", "json_schema": {"description": "d", "strict": None, "schema": SCHEMA}}, GRAMMAR),
        ({"type": "json", "value": SCHEMA}, GRAMMAR),
        ({"type": "json_object", "value": SCHEMA}, GRAMMAR),
        ({"type": "json_schema", "value": SCHEMA}, GRAMMAR),
        ({"type": "json_object", "schema": SCHEMA}, GRAMMAR),
        ({"type": "json_schema", "schema": SCHEMA}, GRAMMAR),
        ({"type": "json_schema", "json_schema": {"schema": SCHEMA}, "schema": {"type": "object"}}, GRAMMAR),
        ({"type": "json_schema", "value": {"name": "x", "schema": SCHEMA}}, GRAMMAR),
        ({"type": "regex", "value": "[0-9]+"}, {"type": "regex", "value": "[0-9]+"}),
    ],
)
def test_a_format_becomes_a_grammar(value: object, grammar: object) -> None:
    assert read_format({"response_format": value}, MODEL, NEW)[0] == grammar
    assert read_format({"response_format": value}, MODEL, UNKNOWN)[0] == grammar


ANY_OBJECT = {"type": "object", "title": "Anything", "additionalProperties": True}


@pytest.mark.parametrize(
    ("value", "param"),
    [
        ({"type": "json_object"}, "response_format"),
        ({"type": "json_object", "value": None}, "response_format"),
        ({"type": "json_object", "schema": None}, "response_format"),
        ({"type": "json_object", "schema": ANY_OBJECT}, "response_format.schema"),
        ({"type": "json_schema", "json_schema": {"schema": ANY_OBJECT}}, "response_format.json_schema.schema"),
        ({"type": "json", "value": {"type": "object"}}, "response_format.value"),
    ],
)
def test_any_object_is_made_by_an_expression_unless_the_record_refuses_it(value: object, param: str) -> None:
    assert read_format({"response_format": value}, MODEL, NEW)[0] == {"type": "regex", "value": JSON_OBJECT}
    with pytest.raises(RequestError) as refused:
        read_format({"response_format": value}, REJECTING, NEW)[0]
    assert (refused.value.code, refused.value.param) == ("unsupported_value", param)
    assert "json_schema" in refused.value.message


@pytest.mark.parametrize(
    ("value", "param", "code"),
    [
        ("json", "response_format", "invalid_type"),
        ({}, "response_format.type", "invalid_type"),
        ({"type": 1}, "response_format.type", "invalid_type"),
        ({"type": "grammar"}, "response_format.type", "unsupported_value"),
        ({"type": "json_schema"}, "response_format.json_schema", "invalid_type"),
        ({"type": "json_schema", "json_schema": []}, "response_format.json_schema", "invalid_type"),
        ({"type": "json_schema", "json_schema": {"name": "x"}}, "response_format.json_schema.schema", "invalid_type"),
        (
            {"type": "json_schema", "json_schema": {"name": 1, "schema": SCHEMA}},
            "response_format.json_schema.name",
            "invalid_type",
        ),
        (
            {"type": "json_schema", "json_schema": {"name": "x", "strict": "yes", "schema": SCHEMA}},
            "response_format.json_schema.strict",
            "invalid_type",
        ),
        (
            {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object", "required": ["a"]}}},
            "response_format.json_schema.schema",
            "invalid_value",
        ),
        (
            {"type": "json_schema", "json_schema": {"name": "x", "schema": {**SCHEMA, "type": "array"}}},
            "response_format.json_schema.schema",
            "invalid_value",
        ),
        (
            {"type": "json_schema", "json_schema": {"name": "x", "schema": {"properties": []}}},
            "response_format.json_schema.schema",
            "invalid_value",
        ),
        ({"type": "json"}, "response_format.value", "invalid_type"),
        ({"type": "json", "value": "{}"}, "response_format.value", "invalid_type"),
        ({"type": "json", "value": {}}, "response_format.value", "invalid_value"),
        ({"type": "json_schema", "value": {"schema": {}}}, "response_format.value.schema", "invalid_value"),
        ({"type": "regex"}, "response_format.value", "invalid_type"),
        ({"type": "regex", "value": ""}, "response_format.value", "invalid_value"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(value: object, param: str, code: str) -> None:
    with pytest.raises(RequestError) as refused:
        read_format({"response_format": value}, REJECTING, NEW)[0]
    assert (refused.value.status, refused.value.param, refused.value.code) == (400, param, code)


@pytest.mark.parametrize("value", [{"type": "json", "value": SCHEMA}, {"type": "regex", "value": "a"}])
def test_an_upstream_without_grammars_gets_none(value: object) -> None:
    with pytest.raises(RequestError) as refused:
        read_format({"response_format": value}, MODEL, OLD)[0]
    assert (refused.value.code, refused.value.param) == ("unsupported_parameter", "response_format")
    assert read_format({"response_format": {"type": "text"}}, MODEL, OLD)[0] is None


def _doubling(levels: int) -> dict[str, Any]:
    definitions: dict[str, Any] = {"a0": {"type": "string"}}
    for level in range(1, levels + 1):
        definitions[f"a{level}"] = {"anyOf": [{"$ref": f"#/$defs/a{level - 1}"}] * 4}
    return {"properties": {"a": {"$ref": f"#/$defs/a{levels}"}}, "$defs": definitions}


def _nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    return schema


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"properties": {"a": {"$ref": "#"}}}, "contains itself at $ref '#'"),
        (
            {"properties": {"a": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"properties": {"n": {"$ref": "#/$defs/n"}}}}},
            "contains itself at $ref '#/$defs/n'",
        ),
        (_doubling(12), "too large"),
        (_nested(80), "more than 64 levels"),
    ],
)
def test_a_schema_that_would_end_the_upstream_is_refused(schema: dict[str, Any], said: str) -> None:
    """Tried with TGI 3.3.7: the first two abort its router, the third makes 649 MB of expression."""
    with pytest.raises(RequestError) as refused:
        read_format({"response_format": {"type": "json", "value": schema}}, MODEL, NEW)[0]
    assert (refused.value.param, refused.value.code) == ("response_format.value", "unsupported_value")
    assert said in refused.value.message


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"$ref": "#/$defs/n"}, "b": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "null"}}},
        {"properties": {"a": {"$ref": "#/$defs/missing"}}},
        {"properties": {name: {"type": "array", "items": {"type": "integer"}} for name in "abcdefghijklmnop"}},
        _nested(30),
        _doubling(6),
    ],
)
def test_other_schemas_are_left_to_the_upstream(schema: dict[str, Any]) -> None:
    assert read_format({"response_format": {"type": "json", "value": schema}}, MODEL, NEW)[0] == {
        "type": "json",
        "value": schema,
    }


@pytest.mark.parametrize(
    ("asked", "default", "capabilities", "budget"),
    [
        (None, None, NEW, Budget(1024, 1024)),
        (None, None, UNKNOWN, Budget(1024, 1024)),
        (None, 200, NEW, Budget(200, 200)),
        (None, 5000, NEW, Budget(1024, 1024)),
        (50, 200, NEW, Budget(50, 50)),
        (3000, None, NEW, Budget(3000, 1024)),
        (None, None, Capabilities(version=(2, 4, 1)), Budget(None, None)),
        (None, 5000, Capabilities(version=(2, 4, 1)), Budget(5000, 5000)),
        (3000, None, Capabilities(version=(2, 4, 1)), Budget(3000, 3000)),
    ],
)
def test_a_grammar_holds_for_one_piece_of_generation(
    asked: int | None, default: int | None, capabilities: Capabilities, budget: Budget
) -> None:
    assert budget_with_grammar(asked, default, capabilities) == budget


@given(json_values)
def test_any_value_gives_a_grammar_or_an_error_that_names_it(value: object) -> None:
    found = [
        _outcome(value, model, capabilities) for model in (MODEL, REJECTING) for capabilities in (NEW, OLD, UNKNOWN)
    ]
    assert [outcome for outcome in found if not outcome.startswith(("200 ", "400 response_format"))] == []


def _outcome(value: object, model: Model, capabilities: Capabilities) -> str:
    try:
        return f"200 {read_format({'response_format': value}, model, capabilities)[0]}"
    except RequestError as refused:
        return f"{refused.status} {refused.param}"
