"""Turn the errors that pydantic found into the problems of a report."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, cast

from pydantic import ValidationError

from infra.configuration.document import Document, is_private
from infra.configuration.problem import HIDDEN, NOTHING, KeyPath, Problem, spell
from infra.configuration.secret import Secret
from infra.configuration.section import nearest

_QUOTE_IT = "quote it if you mean text"
_TEXT = ("this must be text", "write one line of text, in quotes if YAML reads it as something else")
_COLON = (
    "this must be text, and YAML reads a text with a colon and a space in it as a map",
    "put the whole text in quotes, or write it on lines of its own below `>-`",
)
_BOOLEAN = ("this must be true or false", "write true or false")
_WHOLE = ("this must be a whole number", "write only digits, such as 2")
_NUMBER = ("this must be a number", "write a number such as 2 or 1.5")
_LIST = ("this must be a list", "write each value on its own line, after `- `")
_MAP = ("this must be a map", "write `key: value` lines below it")

_RULES: dict[str, tuple[str, str]] = {
    "string_type": _TEXT,
    "string_unicode": _TEXT,
    "bool_type": _BOOLEAN,
    "bool_parsing": _BOOLEAN,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": ("this must be a finite number", "write a number such as 2 or 1.5"),
    "tuple_type": _LIST,
    "list_type": _LIST,
    "dict_type": _MAP,
    "mapping_type": _MAP,
    "model_type": _MAP,
    "model_attributes_type": _MAP,
    "greater_than": ("the number must be greater than {gt:g}", "write a larger number"),
    "greater_than_equal": ("the number must be at least {ge:g}", "write a larger number"),
    "less_than_equal": ("the number must be at most {le:g}", "write a smaller number"),
    "string_too_short": ("the text must not be empty", "write a value, or remove the key"),
    "string_too_long": ("the text must have at most {max_length} characters", "shorten it"),
    "too_short": ("the list must have {min_length} or more entries", "add an entry, or remove the key"),
    "too_long": ("the list must have at most {max_length} entries", "remove some entries"),
}
"""The rule and the remedy for each pydantic error type that these models can produce."""


def problems_of(error: ValidationError, document: Document, place: Callable[[KeyPath], str] = spell) -> list[Problem]:
    """Return each problem once, in the order of the file. `place` turns a key path into the name of a place."""
    lines = error.errors(include_url=False)
    problems: dict[Problem, None] = {}
    for line in lines:
        path = line["loc"]
        emptied = line["type"] == "too_short" and any(_is_below(other["loc"], path) for other in lines)
        if path not in document.unread and not emptied:
            problems[_problem(line, document, place)] = None
    return sorted(problems, key=lambda problem: problem.line or 0)


def _is_below(path: KeyPath, outer: KeyPath) -> bool:
    return len(path) > len(outer) and path[: len(outer)] == outer


def shown(value: object, written: str | None = None) -> str:
    """Return a value as a report shows it: short and on one line."""
    if isinstance(value, Secret):
        return "***"
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return NOTHING
    if written is None:
        written = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
    elif isinstance(value, bool) and written.lower() not in ("true", "false"):
        written = f"{written}, which YAML reads as {str(value).lower()}"
    return written if len(written) <= 80 else f"{written[:79]}…"


def _problem(error: Any, document: Document, place: Callable[[KeyPath], str]) -> Problem:
    path: KeyPath = tuple(error["loc"])
    context = cast(Mapping[str, Any], error.get("ctx", {}))
    found: str | None = context.get("found")
    while found is None and path and path not in document.lines:
        path = path[:-1]
    value = _value_at(document.data, path)
    rule, remedy = _words(error, value, path)
    if found is None:
        found = HIDDEN if is_private(path) else shown(value, document.written.get(path))
    return Problem(where=place(path), line=document.line(path), found=found, rule=rule, remedy=remedy)


def _words(error: Any, value: object, path: KeyPath) -> tuple[str, str]:
    context = cast(Mapping[str, Any], error.get("ctx", {}))
    kind = str(error["type"])
    if kind == "too_short" and isinstance(value, str):
        kind = "string_too_short"
    if kind == "servestack":
        return str(context["rule"]), str(context["remedy"])
    if kind == "literal_error":
        return _choice(value, str(context["expected"]))
    if kind == "string_type" and isinstance(value, bool | date):
        read_as = "a date" if isinstance(value, date) else "a boolean"
        return f"this must be text, and YAML reads it as {read_as}", _QUOTE_IT
    if kind == "string_type" and isinstance(value, dict):
        return _COLON
    if kind not in _RULES:
        return str(error["msg"]), "see docs/configuration.md"
    rule, remedy = _RULES[kind]
    return rule.format(**context), remedy


def _choice(value: object, expected: str) -> tuple[str, str]:
    choices = re.findall(r"'([^']*)'", expected)
    near = nearest(value, choices) if isinstance(value, str) else None
    only = choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
    but = ", and YAML reads this as a boolean" if isinstance(value, bool) else ""
    return f"the value must be {only}{but}", f"write {near or (choices[0] if len(choices) == 1 else 'one of these')}"


def _value_at(data: object, path: KeyPath) -> object:
    for part in path:
        if isinstance(data, dict):
            data = cast(dict[object, object], data).get(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(cast(list[object], data)):
            data = cast(list[object], data)[part]
        else:
            return None
    return data
