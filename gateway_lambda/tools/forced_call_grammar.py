"""The grammar that makes a model call one of some functions, for `tool_choice` required and named.

TGI needs `properties` at the top and reads nothing else there, so the choice is one level below, and is required:
`{"function": {"name": "f", "arguments": {…}}}`. TGI's compiler keeps the order of the properties, so the name comes
first and decides which arguments are possible.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from gateway_lambda.errors import unsupported_value
from gateway_lambda.generation.capabilities import Capabilities
from gateway_lambda.tools.json_object import JSON_OBJECT
from gateway_lambda.tools.parameters import has_references, relocated
from gateway_lambda.tools.schema_size import LONGEST, check_size, too_large

_ANSWER = ".answer"
"""A name that no function can have."""


class Function(msgspec.Struct, frozen=True):
    """A function in the request. `param`: the path of its parameters."""

    name: str
    parameters: Mapping[str, Any]
    param: str


def answer_schema(grammar: Mapping[str, Any], param: str) -> dict[str, Any]:
    """Return the schema of an answer in a response format. Raises `RequestError` for a regular expression of a client.

    TGI's compiler writes a pattern between quotes as it is. So an object between quotes is what it makes here, and the
    parser knows where an object ends. It cannot know where the text of any other expression ends.
    """
    if grammar["type"] == "json":
        return relocated(grammar["value"], f"#/$defs/{_ANSWER}", param)
    if grammar["value"] != JSON_OBJECT:
        rule = "with tools, the upstream can make only objects; use a JSON schema, or set tool_choice to 'none'"
        raise unsupported_value(param, rule)
    return {"type": "string", "pattern": JSON_OBJECT}


def call_grammar(
    functions: Iterable[Function], capabilities: Capabilities, answer: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the grammar for exactly one call of any of `functions`. Raises `RequestError` for wrong parameters."""
    choices: list[dict[str, Any]] = []
    definitions: dict[str, Any] = {}
    key = _arguments_key(capabilities)
    size = 0
    for function in functions:
        parameters = relocated(function.parameters, f"#/$defs/{function.name}", function.param)
        if has_references(parameters):
            definitions[function.name] = parameters
        size += check_size(parameters, function.param, {"$defs": {function.name: parameters}})
        if size > LONGEST:
            raise too_large("tools")
        choices.append(
            {
                "type": "object",
                "properties": {"name": {"const": function.name}, key: parameters},
                "required": ["name", key],
            }
        )
    if answer is not None:
        if has_references(answer):
            definitions[_ANSWER] = answer
        size += check_size(answer, "response_format", {"$defs": {_ANSWER: answer}})
        if size > LONGEST:
            raise too_large("tools")
        choices.append({"type": "object", "properties": {"answer": answer}, "required": ["answer"]})
    value: dict[str, Any] = {
        "type": "object",
        "properties": {"function": {"anyOf": choices}},
        "required": ["function"],
    }
    if definitions:
        value["$defs"] = definitions
    return {"type": "json", "value": value}


def _arguments_key(capabilities: Capabilities) -> str:
    """Routers before 3.0 sort an object's keys, and a call whose arguments come before its name is guesswork."""
    return "arguments" if capabilities.version is None or capabilities.version >= (3, 0, 0) else "parameters"
