"""TGI's own compiler takes every grammar that leaves the gateway, and what it makes of one is what was asked for."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from gateway_lambda.errors import RequestError
from gateway_lambda.generation.capabilities import Capabilities
from gateway_lambda.registry.record import Model
from gateway_lambda.tools.answer_format import read_format
from gateway_lambda.tools.request import read_tools
from gateway_lambda.tools.schema_size import check_size
from tests.support.requirements import require

NEW = Capabilities(version=(3, 3, 6))
MODEL = Model(name="m")


def _expression(grammar: dict[str, Any] | None) -> str:
    """What TGI's router makes of a grammar. Raises when it refuses it."""
    assert grammar is not None
    if grammar["type"] == "regex":
        return grammar["value"]
    jsonschema.Draft202012Validator.check_schema(grammar["value"])
    assert "properties" in grammar["value"]
    require("outlines-core")
    from outlines_core.fsm.json_schema import build_regex_from_schema

    return build_regex_from_schema(json.dumps(grammar["value"]))


def _of_format(schema: dict[str, Any]) -> re.Pattern[str]:
    value = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    return re.compile(_expression(read_format({"response_format": value}, MODEL, NEW)[0]))


def _field(schema: object) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": schema}, "required": ["a"], "additionalProperties": False}


ADDRESS: dict[str, Any] = {"type": "object", "properties": {"zip": {"type": "string"}}, "required": ["zip"]}


@pytest.mark.parametrize(
    ("schema", "fits", "does_not"),
    [
        (_field({"type": ["string", "null"]}), ['{"a": "x"}', '{"a": null}'], ['{"a": 1}', "{}"]),
        (_field({"type": "string", "format": "email"}), ['{"a": "x@y.z"}'], ['{"a": 1}']),
        (_field({"type": "string", "format": "uri"}), ['{"a": "https://x"}'], ['{"a": null}']),
        (_field({"type": "string", "format": "duration"}), ['{"a": "P1D"}'], ['{"a": []}']),
        (_field({"type": "string", "format": "date"}), ['{"a": "2026-11-29"}'], ['{"a": "x"}']),
        (_field({"title": "A", "description": "anything"}), ['{"a": "x"}', '{"a": 1}', '{"a": [true]}'], ["{}"]),
        (_field({"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}]}) | {"$defs": {"A": ADDRESS}},
         ['{"a": {"zip": "1"}}', '{"a": null}'], ['{"a": {}}']),
        ({"$ref": "#/$defs/A", "$defs": {"A": ADDRESS}}, ['{"zip": "1"}'], ["{}", '"1"']),
        ({"$ref": "#/definitions/A", "$schema": "https://x/schema", "definitions": {"A": ADDRESS}},
         ['{"zip": "1"}'], ["{}"]),
        ({"allOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": ADDRESS}}, ['{"zip": "1"}'], ["{}"]),
        (_field({"allOf": [{"$ref": "#/$defs/A"}], "description": "d"}) | {"$defs": {"A": ADDRESS}},
         ['{"a": {"zip": "1"}}'], ['{"a": {}}']),
        (_field({"type": ["object", "null"], "properties": {"b": {"type": "boolean"}}, "required": ["b"]}),
         ['{"a": {"b": true}}', '{"a": null}'], ['{"a": {}}']),
        (_field({"enum": ["x", ["y", 1], {"z": None}]}),
         ['{"a": "x"}', '{"a": ["y",1]}', '{"a": {"z": null}}'], ['{"a": ["y"]}', '{"a": {}}']),
        (_field({"const": {}}), ['{"a": {}}'], ['{"a": {"b": 1}}']),
        (_field({"type": "string", "pattern": "^[A-Z]{2}"}), ['{"a": "XY"}'], ['{"a": "^XY"}']),
        (_field({"type": "object", "additionalProperties": False}), ['{"a": {}}'], ['{"a": {"b": 1}}']),
        (_field({"type": "array", "items": {"type": ["integer", "null"]}}), ['{"a": [1,null]}'], ['{"a": ["x"]}']),
        ({"type": "object", "additionalProperties": False}, ["{}"], ['{"a":1}']),
        ({"type": "object"}, ["{}", '{"a": [{"b": 1}]}'], ["[]"]),
        ({"properties": {"a": True}, "title": "T"}, ["{}", '{"a": {"b": 1}}'], ['{"c": 1}']),
    ],
)  # fmt: skip
def test_a_schema_as_clients_write_it_becomes_what_it_says(
    schema: dict[str, Any], fits: list[str], does_not: list[str]
) -> None:
    expression = _of_format(schema)
    assert [text for text in fits if not expression.fullmatch(text)] == []
    assert [text for text in does_not if expression.fullmatch(text)] == []


_words = st.sampled_from(["a", "b", "c"])
_scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3)
_constants = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_words, inner), max_leaves=4
)
_about = {"title": st.text(max_size=3), "description": st.text(max_size=3), "default": _scalars}
_kinds = st.sampled_from(["string", "integer", "number", "boolean", "null", "array", "object"])
_leaves = st.one_of(
    st.just(True),
    st.just({}),
    st.fixed_dictionaries({}, optional=_about),
    st.fixed_dictionaries({"type": _kinds}, optional=_about),
    st.fixed_dictionaries({"type": st.lists(_kinds, min_size=1, max_size=3, unique=True)}, optional=_about),
    st.fixed_dictionaries({"enum": st.lists(_constants, min_size=1, max_size=3)}, optional=_about),
    st.fixed_dictionaries({"const": _constants}, optional=_about),
    st.fixed_dictionaries({"$ref": st.sampled_from(["#/$defs/x", "#/$defs/y"])}, optional=_about),
    st.fixed_dictionaries(
        {"type": st.just("string")},
        optional={
            **_about,
            "format": st.sampled_from(["email", "uri", "duration", "date", "date-time", "uuid", "ipv4"]),
            "pattern": st.sampled_from(["^a+$", "^a", "a$", "a|b", r"\d+\$"]),
            "minLength": st.integers(0, 2),
            "maxLength": st.integers(2, 4),
        },
    ),
    st.fixed_dictionaries({"type": st.just("integer")}, optional={"minimum": st.integers(), **_about}),
)


def _objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "type": st.sampled_from(["object", ["object", "null"]]),
            "properties": st.dictionaries(_words, inner, max_size=3),
        },
        optional={
            **_about,
            "required": st.lists(_words, max_size=2, unique=True),
            "additionalProperties": st.booleans(),
        },
    )


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        _objects(inner),
        st.fixed_dictionaries({"type": st.just("array"), "items": inner}, optional={"minItems": st.integers(0, 2)}),
        st.fixed_dictionaries({"type": st.just("object"), "additionalProperties": inner | st.just(False)}),
        st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=3)}, optional=_about),
        st.fixed_dictionaries({"oneOf": st.lists(inner, min_size=1, max_size=2)}),
        st.fixed_dictionaries({"allOf": st.lists(inner, min_size=1, max_size=1)}, optional=_about),
        st.fixed_dictionaries(
            {"type": st.just("object"), "anyOf": st.lists(st.just({"required": ["a"]}) | inner, min_size=1, max_size=2)}
        ),
        st.fixed_dictionaries({"type": st.just("array"), "prefixItems": st.lists(inner, min_size=1, max_size=2)}),
    )


schemas = _objects(st.recursive(_leaves, _nested, max_leaves=6)).map(
    lambda schema: {
        **schema,
        "type": "object",
        "$defs": {"x": ADDRESS, "y": {"type": ["string", "null"], "title": "Y"}},
    }
)


@settings(max_examples=100, phases=[Phase.explicit, Phase.generate])
@given(schemas)
def test_every_schema_that_clients_write_is_compiled(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    try:
        grammar = read_format({"response_format": {"type": "json", "value": schema}}, MODEL, NEW)[0]
    except RequestError as refused:
        assert "the schema is too large" in refused.message  # noqa: PT017
        return
    assert grammar is not None
    assert len(_expression(grammar)) <= check_size(grammar["value"], "value")
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    for version in (NEW, Capabilities(version=(2, 4, 1))):
        _expression(read_tools({"tools": [tool], "tool_choice": "required"}, MODEL, version).grammar)


def test_several_schemas_at_once_are_refused_where_the_compiler_would_write_them_in_a_row() -> None:
    with pytest.raises(RequestError) as refused:
        _of_format(_field({"allOf": [ADDRESS, {"type": "object", "properties": {"b": {"type": "null"}}}]}))
    assert (refused.value.code, refused.value.param) == ("unsupported_value", "response_format.json_schema.schema")
