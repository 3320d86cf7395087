"""How large a schema becomes at the upstream is foreseen, and what is made of one here is as large as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway_lambda.errors import RequestError
from gateway_lambda.generation.capabilities import Capabilities
from gateway_lambda.registry.record import Model
from gateway_lambda.tools.request import read_tools
from gateway_lambda.tools.schema_size import LONGEST, check_size

NEW = Capabilities(version=(3, 3, 6))
MODEL = Model(name="m")

_RECORDED: list[tuple[int, dict[str, Any]]] = json.loads(
    (Path(__file__).parent / "expression_lengths.json").read_text()
)
"""Schemas, each behind the length of the expression that outlines-core 0.1.26 makes of it."""
_SAYS_MOST = 5
"""Times the real length that may be foreseen."""


@pytest.mark.parametrize(("length", "schema"), _RECORDED)
def test_the_length_of_an_expression_is_foreseen(length: int, schema: dict[str, Any]) -> None:
    assert length <= check_size(schema, "schema") <= _SAYS_MOST * length + 300


def _chain(links: int) -> dict[str, Any]:
    """References in a row, of which the last is met first."""
    definitions: dict[str, Any] = {"d0": {"type": "null"}}
    for number in range(1, links):
        definitions[f"d{number}"] = {"anyOf": [{"$ref": f"#/$defs/d{number - 1}"}]}
    return {"anyOf": [{"$ref": f"#/$defs/d{number}"} for number in range(links)], "$defs": definitions}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"properties": {"a": {"$ref": "properties/a"}}}, "contains itself at $ref 'properties/a'"),
        ({"properties": {"a": {"$ref": "any#/properties/a"}}}, "contains itself at $ref 'any#/properties/a'"),
        ({"properties": {"a": {"$ref": "#//properties/a/"}}}, "contains itself at $ref '#//properties/a/'"),
        ({"type": "object", "depth": 10}, "too large"),
        ({"type": "array", "depth": 1 << 40}, "too large"),
        (_chain(100), "more than 64 levels"),
        ({"type": ["array", "object"], "items": {"enum": ["x" * LONGEST]}}, "too large"),
        ({"enum": [0] * LONGEST}, "too large"),
    ],
)
def test_what_would_end_the_upstream_is_refused_in_every_spelling(schema: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError, match=r"^schema: ") as refused:
        check_size(schema, "schema")
    assert said in refused.value.message


def test_a_chain_of_references_that_is_short_enough_is_taken() -> None:
    assert check_size(_chain(30), "schema") < LONGEST


def _nested(levels: int, **outer: Any) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "null"}
    for _ in range(levels):
        schema = {**outer, "items": schema, "additionalProperties": False}
    return schema


@pytest.mark.parametrize("kinds", [["array", "null"], ["array", "object"], ["array"] * 100, ["integer", "number"]])
def test_a_forced_tool_is_sent_as_large_as_it_came(kinds: list[str]) -> None:
    """Each level once was copied for each of its types: 1.4 KB of these took the process."""
    parameters = {"type": "object", "properties": {"a": _nested(8, type=kinds)}}
    body = {
        "tools": [{"type": "function", "function": {"name": "f", "parameters": parameters}}],
        "tool_choice": "required",
    }
    assert len(json.dumps(read_tools(body, MODEL, NEW).grammar)) < 2 * len(json.dumps(body))


def test_a_list_of_types_that_holds_something_else_is_refused() -> None:
    parameters = {"type": "object", "properties": {"a": {"type": ["string", {}]}}}
    body = {
        "tools": [{"type": "function", "function": {"name": "f", "parameters": parameters}}],
        "tool_choice": "required",
    }
    with pytest.raises(RequestError) as refused:
        read_tools(body, MODEL, NEW)
    assert (refused.value.param, refused.value.code) == ("tools[0].function.parameters", "invalid_type")


def test_forced_tools_that_are_too_large_together_are_refused() -> None:
    """Each for itself could be compiled."""
    parameters = {"type": "object", "properties": {"a": {"enum": ["x" * 100_000]}}}
    tools = [{"type": "function", "function": {"name": f"f{n}", "parameters": parameters}} for n in range(6)]
    with pytest.raises(RequestError) as refused:
        read_tools({"tools": tools, "tool_choice": "required"}, MODEL, NEW)
    assert (refused.value.param, refused.value.code) == ("tools", "unsupported_value")
