"""Each field that says what an answer must look like becomes the same grammar."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_lambda.errors import RequestError
from gateway_lambda.generation.capabilities import Capabilities
from gateway_lambda.registry.record import Model
from gateway_lambda.tools.answer_format import read_format
from gateway_lambda.tools.json_object import JSON_OBJECT
from tests.gateway.tools.values import json_values

NEW = Capabilities(version=(3, 3, 6))
OLD = Capabilities(version=(1, 4, 0))
MODEL = Model(name="m")
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
GRAMMAR = {"type": "json", "value": SCHEMA}
DIGITS = {"type": "regex", "value": "[0-9]+"}
ANY_OBJECT = {"type": "regex", "value": JSON_OBJECT}


@pytest.mark.parametrize(
    ("body", "grammar", "param"),
    [
        ({}, None, ""),
        ({"grammar": {"type": "json", "value": SCHEMA}}, GRAMMAR, "grammar"),
        ({"grammar": DIGITS}, DIGITS, "grammar"),
        ({"guided_json": SCHEMA}, GRAMMAR, "guided_json"),
        ({"guided_json": json.dumps(SCHEMA)}, GRAMMAR, "guided_json"),
        ({"guided_regex": "[0-9]+"}, DIGITS, "guided_regex"),
        ({"guided_choice": ["yes", "no (1.5+)"]}, {"type": "regex", "value": r"(yes|no \(1\.5\+\))"}, "guided_choice"),
        ({"structured_outputs": {"json": SCHEMA, "regex": None}}, GRAMMAR, "structured_outputs"),
        ({"structured_outputs": {"regex": "[0-9]+"}}, DIGITS, "structured_outputs"),
        ({"structured_outputs": {"choice": ["a"]}}, {"type": "regex", "value": "(a)"}, "structured_outputs"),
        ({"structured_outputs": {"json_object": True}}, ANY_OBJECT, "structured_outputs"),
        ({"structured_outputs": {"json_object": False}}, None, ""),
        ({"structured_outputs": {}}, None, ""),
        ({"response_format": {"type": "text"}, "guided_regex": "[0-9]+"}, DIGITS, "guided_regex"),
        ({"response_format": None, "grammar": None, "guided_json": None}, None, ""),
    ],
)
def test_each_field_becomes_a_grammar(body: dict[str, Any], grammar: object, param: str) -> None:
    assert read_format(body, MODEL, NEW) == (grammar, param)


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"grammar": {"value": SCHEMA}}, "grammar.type", "invalid_type"),
        ({"grammar": {"type": "json", "value": []}}, "grammar.value", "invalid_type"),
        ({"guided_json": "{"}, "guided_json", "invalid_value"),
        ({"guided_json": "\ud800"}, "guided_json", "invalid_value"),
        ({"guided_json": "[" * 300}, "guided_json", "invalid_value"),
        ({"guided_json": "[]"}, "guided_json", "invalid_type"),
        ({"guided_json": 1}, "guided_json", "invalid_type"),
        ({"guided_regex": ""}, "guided_regex", "invalid_value"),
        ({"guided_regex": "a" * 1_000_001}, "guided_regex", "invalid_value"),
        ({"guided_choice": []}, "guided_choice", "invalid_value"),
        ({"guided_choice": [""]}, "guided_choice", "invalid_value"),
        ({"guided_choice": ["a", 1]}, "guided_choice", "invalid_type"),
        ({"guided_choice": ["." * 600_000]}, "guided_choice", "invalid_value"),
        ({"guided_grammar": "root ::= 1"}, "guided_grammar", "unsupported_value"),
        ({"structural_tag": "{}"}, "structural_tag", "unsupported_value"),
        ({"structured_outputs": []}, "structured_outputs", "invalid_type"),
        ({"structured_outputs": {"json": SCHEMA, "regex": "a"}}, "structured_outputs", "invalid_value"),
        ({"structured_outputs": {"grammar": "x"}}, "structured_outputs.grammar", "unsupported_value"),
        ({"structured_outputs": {"json_object": 1}}, "structured_outputs.json_object", "invalid_type"),
        ({"guided_json": SCHEMA, "guided_regex": "a"}, "guided_regex", "invalid_value"),
        ({"response_format": {"type": "json", "value": SCHEMA}, "grammar": DIGITS}, "grammar", "invalid_value"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(RequestError) as refused:
        read_format(body, MODEL, NEW)
    assert (refused.value.status, refused.value.param, refused.value.code) == (400, param, code)


@pytest.mark.parametrize("field", ["grammar", "response_format"])
def test_an_upstream_without_grammars_gets_none_from_any_field(field: str) -> None:
    with pytest.raises(RequestError) as refused:
        read_format({field: DIGITS}, MODEL, OLD)
    assert (refused.value.code, refused.value.param) == ("unsupported_parameter", field)


@given(st.lists(st.text(max_size=5), min_size=1, max_size=4).filter(any), st.text(max_size=5))
def test_an_answer_is_one_of_the_choices_and_nothing_else(choices: list[str], other: str) -> None:
    grammar, _ = read_format({"guided_choice": choices}, MODEL, NEW)
    assert grammar is not None
    expression = re.compile(grammar["value"])
    assert all(expression.fullmatch(choice) for choice in choices)
    assert bool(expression.fullmatch(other)) == (other in choices)


@given(st.sampled_from(["grammar", "guided_json", "guided_regex", "guided_choice", "structured_outputs"]), json_values)
def test_any_value_gives_a_grammar_or_an_error_that_names_the_field(field: str, value: object) -> None:
    try:
        read_format({field: value}, MODEL, NEW)
    except RequestError as refused:
        assert (refused.status, (refused.param or "").startswith(field)) == (400, True)  # noqa: PT017
