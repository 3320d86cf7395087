"""What an answer must look like, in each of the fields that clients use for it.

OpenAI has `response_format`. TGI has `grammar`. vLLM has `structured_outputs`, `guided_json`, `guided_regex` and
`guided_choice`. A request can set one of these fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from gateway_lambda.bounded_json import JsonRefused, decode_bounded
from gateway_lambda.errors import RequestError, invalid_value, unsupported_value
from gateway_lambda.generation.capabilities import Capabilities
from gateway_lambda.generation.fields import boolean, mapping, sequence, string
from gateway_lambda.registry.record import Model
from gateway_lambda.tools.response_format import any_object, check_takes_grammar, of_expression, of_schema, of_type
from gateway_lambda.tools.schema_size import LONGEST

_Grammar = dict[str, Any] | None

_SPECIAL = re.compile(r"[\\.^$*+?{}\[\]|()]")


def has_format(body: Mapping[str, Any]) -> bool:
    """Whether a request has one of the fields."""
    return any(body[name] is not None for name in _FIELDS.keys() & body.keys())


def read_format(body: Mapping[str, Any], model: Model, capabilities: Capabilities) -> tuple[_Grammar, str]:
    """The grammar (`type`, `value`) that a request asks for, and the field that it comes from; None: free text.

    Raises `RequestError`; code `unsupported_parameter` when the upstream has no grammars at all.
    """
    grammar: _Grammar = None
    param = ""
    for name, read in _FIELDS.items():
        if body.get(name) is None:
            continue
        found = read(body[name], name, model)
        if found is None:
            continue
        if grammar is not None:
            raise RequestError(f"{param} and {name} exclude each other: set one", "invalid_value", param=name)
        grammar, param = found, name
    if grammar is not None:
        check_takes_grammar(capabilities, param)
    return grammar, param


def _guided_json(value: object, param: str, model: Model) -> _Grammar:
    if isinstance(value, str):
        try:
            value = decode_bounded(value.encode("utf-8", "surrogatepass"))
        except JsonRefused as problem:
            raise invalid_value(param, value, f"a JSON schema, but it is not JSON: {problem}") from None
    return of_schema(value, param, model)


def _guided_regex(value: object, param: str, model: Model) -> _Grammar:
    return of_expression(value, param)


def _guided_choice(value: object, param: str, model: Model) -> _Grammar:
    choices = [string(choice, param) for choice in sequence(value, param)]
    if not any(choices):
        raise invalid_value(param, choices, "a list of texts, of which the answer is one")
    expression = "|".join(_SPECIAL.sub(r"\\\g<0>", choice) for choice in choices)
    if len(expression) > LONGEST:
        raise invalid_value(param, choices, f"at most {LONGEST} characters together")
    return {"type": "regex", "value": f"({expression})"}


def _json_object(value: object, param: str, model: Model) -> _Grammar:
    return any_object(model, param) if boolean(value, param) else None


def _other_grammar(value: object, param: str, model: Model) -> _Grammar:
    raise unsupported_value(param, "the upstream has JSON schemas and regular expressions alone; use one of them")


def _structured_outputs(value: object, param: str, model: Model) -> _Grammar:
    found = mapping(value, param)
    given = [key for key in _STRUCTURED if found.get(key) is not None]
    if len(given) > 1:
        raise invalid_value(param, given, f"one of {', '.join(_STRUCTURED)}")
    return _STRUCTURED[given[0]](found[given[0]], f"{param}.{given[0]}", model) if given else None


_Reader = Callable[[object, str, Model], _Grammar]
_STRUCTURED: Mapping[str, _Reader] = {
    "json": _guided_json,
    "regex": _guided_regex,
    "choice": _guided_choice,
    "json_object": _json_object,
    "grammar": _other_grammar,
    "structural_tag": _other_grammar,
}
_FIELDS: Mapping[str, _Reader] = {
    "response_format": of_type,
    "grammar": of_type,
    "structured_outputs": _structured_outputs,
    "guided_json": _guided_json,
    "guided_regex": _guided_regex,
    "guided_choice": _guided_choice,
    "guided_grammar": _other_grammar,
    "structural_tag": _other_grammar,
}
