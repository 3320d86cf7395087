"""The grammar that makes a model call one of some functions, for `tool_choice` required and named.

TGI needs `properties` at the top and reads nothing else there, so the choice is one level below, and is required:
`{"function": {"name": "f", "arguments": {…}}}`. TGI's compiler keeps the order of the properties, so the name comes
first and decides which arguments are possible.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from gateway_lambda.tgi.info import Facts
from gateway_lambda.tools.parameters import has_references, relocated
from gateway_lambda.tools.schema_size import LONGEST, check_size, too_large


class Function(msgspec.Struct, frozen=True):
    """A function in the request. `param`: the path of its parameters."""

    name: str
    parameters: Mapping[str, Any]
    param: str


def call_grammar(functions: Iterable[Function], facts: Facts) -> dict[str, Any]:
    """Return the grammar for exactly one call of any of `functions`. Raises `RequestError` for wrong parameters."""
    choices: list[dict[str, Any]] = []
    definitions: dict[str, Any] = {}
    key = _arguments_key(facts)
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
    value: dict[str, Any] = {
        "type": "object",
        "properties": {"function": {"anyOf": choices}},
        "required": ["function"],
    }
    if definitions:
        value["$defs"] = definitions
    return {"type": "json", "value": value}


def _arguments_key(facts: Facts) -> str:
    """Routers before 3.0 sort an object's keys, and a call whose arguments come before its name is guesswork."""
    return "arguments" if facts.version is None or facts.version >= (3, 0, 0) else "parameters"
