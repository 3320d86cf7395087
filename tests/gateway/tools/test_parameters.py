"""What becomes of the parameters of forced functions: docs/translation.md#tools."""

from __future__ import annotations

import pytest

from gateway_lambda.tools.request import read_tools
from tests.gateway.tools.test_request import CALL_G, MODEL, NEW, G, choice_of, grammar_of


def test_references_in_parameters_lead_to_where_the_parameters_lie() -> None:
    parameters = {
        "$id": "https://example.com/f",
        "type": "object",
        "properties": {"at": {"$ref": "#/$defs/At"}, "$ref": {"type": "string"}},
        "$defs": {"At": {"type": "array", "items": {"$ref": "#/$defs/N"}}, "N": {"const": {"$ref": "no reference"}}},
    }
    moved = {
        "type": "object",
        "properties": {"at": {"$ref": "#/$defs/f/$defs/At"}, "$ref": {"type": "string"}},
        "$defs": {
            "At": {"type": "array", "items": {"$ref": "#/$defs/f/$defs/N"}},
            "N": {
                "anyOf": [
                    {"type": "object", "properties": {"$ref": {"const": "no reference"}}, "required": ["$ref"]},
                ]
            },
        },
    }
    body = {
        "tools": [{"type": "function", "function": {"name": "f", "parameters": parameters}}, G],
        "tool_choice": "required",
    }
    use = read_tools(body, MODEL, NEW)
    assert use.grammar == grammar_of(choice_of("f", moved), CALL_G, **{"$defs": {"f": moved}})
    assert parameters["properties"]["at"] == {"$ref": "#/$defs/At"}, "what the client sent is not changed"


@pytest.mark.parametrize(
    ("given_schema", "sent"),
    [
        (
            {"type": ["string", "null"], "description": "d", "pattern": "a+"},
            {"description": "d", "anyOf": [{"type": "string", "pattern": "a+"}, {"type": "null"}]},
        ),
        (
            {"type": ["array", "object", "array"], "items": {"type": "null"}, "additionalProperties": {"type": "null"}},
            {
                "anyOf": [
                    {"type": "array", "items": {"type": "null"}},
                    {"type": "object", "additionalProperties": {"type": "null"}},
                ]
            },
        ),
        (True, {"anyOf": [{}]}),
        ({}, {"anyOf": [{}]}),
        ({"description": "d"}, {"anyOf": [{}]}),
        ({"type": "string", "format": "email"}, {"type": "string"}),
        ({"type": "string", "format": []}, {"type": "string"}),
        ({"type": "string", "format": {"a": 1}}, {"type": "string"}),
        ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
        (
            {"type": "object", "additionalProperties": False},
            {"type": "object", "additionalProperties": False, "properties": {}},
        ),
        ({"type": "array", "items": True}, {"type": "array", "items": {"anyOf": [{}]}}),
        ({"anyOf": [{"type": "null"}, {}]}, {"anyOf": [{"type": "null"}, {"anyOf": [{}]}]}),
        (
            {"type": ["object", "null"], "properties": {"x": {"type": "null"}}, "required": ["x"], "title": "t"},
            {
                "title": "t",
                "anyOf": [
                    {"type": "object", "properties": {"x": {"type": "null"}}, "required": ["x"]},
                    {"type": "null"},
                ],
            },
        ),
        (
            {"enum": [["a", 1], {"x": {}}, None], "description": "d"},
            {
                "description": "d",
                "anyOf": [
                    {"prefixItems": [{"const": "a"}, {"const": 1}]},
                    {
                        "type": "object",
                        "properties": {"x": {"type": "object", "properties": {}, "required": []}},
                        "required": ["x"],
                    },
                    {"const": None},
                ],
            },
        ),
        ({"type": "string", "pattern": "^a"}, {"type": "string", "pattern": "a"}),
        ({"type": "string", "pattern": "a$"}, {"type": "string", "pattern": "a"}),
        ({"type": "string", "pattern": r"a\$"}, {"type": "string", "pattern": r"a\$"}),
        ({"type": "string", "pattern": "^a$"}, {"type": "string", "pattern": "^a$"}),
        ({"type": "string", "anyOf": [{"minLength": 1}, {"title": "t"}]}, {"type": "string"}),
        ({"allOf": [{"type": "null"}, {"title": "t"}]}, {"allOf": [{"type": "null"}]}),
        ({"allOf": [{"title": "t"}], "type": "null"}, {"type": "null"}),
        ({"enum": ["a", None], "type": ["string", "null"]}, {"enum": ["a", None], "type": ["string", "null"]}),
    ],
)
def test_parameters_are_written_in_words_that_the_compiler_knows(given_schema: object, sent: object) -> None:
    """Each was refused by TGI 3.3.7 with "cannot compile", or compiled to something else, as it was given."""
    parameters = {"type": "object", "properties": {"a": given_schema}}
    body = {
        "tools": [{"type": "function", "function": {"name": "f", "parameters": parameters}}],
        "tool_choice": "required",
    }
    assert read_tools(body, MODEL, NEW).grammar == grammar_of(
        choice_of("f", {"type": "object", "properties": {"a": sent}})
    )
