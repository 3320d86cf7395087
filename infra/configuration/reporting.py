"""What pydantic found wrong, in the words of a report."""

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

_QUOTE_IT = "quote it if this is meant as text"
_TEXT = ("text is wanted", "write a word or a line; quote it if YAML reads it as something else")
_BOOLEAN = ("true or false is wanted", "write true or false")
_NUMBER = ("a number is wanted", "write digits alone, as in 2 or 1.5")
_LIST = ("a list is wanted", "write one line a value, each beginning with `- `")
_MAP = ("a map is wanted", "write `key: value` lines below it")

_RULES: dict[str, tuple[str, str]] = {
    "string_type": _TEXT,
    "string_unicode": _TEXT,
    "bool_type": _BOOLEAN,
    "bool_parsing": _BOOLEAN,
    "int_type": ("a whole number is wanted", "write digits alone, as in 2"),
    "int_parsing": ("a whole number is wanted", "write digits alone, as in 2"),
    "int_from_float": ("a whole number is wanted", "write digits alone, as in 2"),
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": ("a finite number is wanted", "write digits alone, as in 2 or 1.5"),
    "tuple_type": _LIST,
    "list_type": _LIST,
    "dict_type": _MAP,
    "mapping_type": _MAP,
    "model_type": _MAP,
    "model_attributes_type": _MAP,
    "greater_than": ("the number is greater than {gt:g}", "write a greater number"),
    "greater_than_equal": ("the number is at least {ge:g}", "write a greater number"),
    "less_than_equal": ("the number is at most {le:g}", "write a smaller number"),
    "string_too_short": ("text is wanted, and this is empty", "write a value, or remove the key"),
    "string_too_long": ("the text has at most {max_length} characters", "shorten it"),
    "too_short": ("the list is empty", "add an entry, or remove the key"),
    "too_long": ("the list has at most {max_length} entries", "remove some"),
}
"""Rule and remedy for each of pydantic's error types that these models can produce."""


def problems_of(error: ValidationError, document: Document, place: Callable[[KeyPath], str] = spell) -> list[Problem]:
    """Each problem once, in the order of the file; `place` names the place of a key path."""
    lines = error.errors(include_url=False)
    problems: dict[Problem, None] = {}
    for line in lines:
        path = line["loc"]
        emptied = line["type"] == "too_short" and any(other["loc"][:-1] == path for other in lines)
        if path not in document.unread and not emptied:
            problems[_problem(line, document, place)] = None
    return sorted(problems, key=lambda problem: problem.line or 0)


def shown(value: object, written: str | None = None) -> str:
    """A value as a report has it: on one line, short, without control characters."""
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
    if kind == "servestack":
        return str(context["rule"]), str(context["remedy"])
    if kind == "literal_error":
        return _choice(value, str(context["expected"]))
    if kind == "string_pattern_mismatch":
        return f"the text matches {context['pattern']}", "leave out the other characters"
    if kind == "string_type" and isinstance(value, bool | date):
        return (
            f"text is wanted, and YAML reads this as {'a date' if isinstance(value, date) else 'a boolean'}",
            _QUOTE_IT,
        )
    if kind not in _RULES:
        return str(error["msg"]), "see docs/configuration.md"
    rule, remedy = _RULES[kind]
    return rule.format(**context), remedy


def _choice(value: object, expected: str) -> tuple[str, str]:
    choices = re.findall(r"'([^']*)'", expected)
    near = nearest(value, choices) if isinstance(value, str) else None
    if isinstance(value, bool):
        return f"the value is one of {', '.join(choices)}, and YAML reads this as a boolean", "quote it"
    only = f"the value is {choices[0]}" if len(choices) == 1 else f"the value is one of {', '.join(choices)}"
    return only, f"write {near or (choices[0] if len(choices) == 1 else 'one of them')}"


def _value_at(data: object, path: KeyPath) -> object:
    for part in path:
        if isinstance(data, dict):
            data = cast(dict[object, object], data).get(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(cast(list[object], data)):
            data = cast(list[object], data)[part]
        else:
            return None
    return data
