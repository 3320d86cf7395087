"""Calls that are JSON objects: `{"name": …, "arguments": {…}}`, or with `parameters`, or inside a `function`."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any, cast

from gateway_lambda.bounded_json import count_values
from gateway_lambda.tools.syntaxes.frame import Call

_PAIRS = r'(?:"[^"\\]*"\s*:\s*"[^"\\]*"\s*,\s*)*?'
_HEADER = re.compile(
    rf'\{{\s*{_PAIRS}(?:"function"\s*:\s*\{{\s*{_PAIRS})?"name"\s*:\s*"(?P<name>[^"\\]*)"\s*,\s*{_PAIRS}'
    r'"(?:arguments|parameters)"\s*:\s*\{'
)
_FIRST_KEY = re.compile(r'\{\s*"(?P<key>[^"\\]*)"')
_HALF = re.compile("[\ud800-\udfff]")
_FIRST_KEYS = ("name", "type", "id", "function")
_LONGEST_START = 64
"""Characters that hold an object's first key, where it is one of these."""


def named_in_header(text: str) -> str | None:
    """Return the function's name, if `text` is a call up to the bracket of its arguments (`LONGEST_HEADER` at most)."""
    found = _HEADER.fullmatch(text)
    return found["name"] if found else None


def may_be_call(start: str) -> bool | None:
    """Return whether an object that begins like this can be a call; None while it is too early to say."""
    found = _FIRST_KEY.match(start, 0, _LONGEST_START)
    if found:
        return found["key"] in _FIRST_KEYS
    return False if len(start) >= _LONGEST_START else None


def read_call(text: str, names: Collection[str], *, announced: bool) -> Call | None:
    """Return the call of a function in `names` that a complete JSON object is; None for any other object.

    Arguments can be an object, or a string with one. Missing arguments are `{}` if an opener announced the call;
    otherwise such an object is an answer.
    """
    value = _loads(text)
    if value is not None and isinstance(value.get("function"), dict):
        value = cast("dict[str, Any]", value["function"])
    if value is None or not isinstance(value.get("name"), str) or value["name"] not in names:
        return None
    given = [value[key] for key in ("arguments", "parameters") if key in value]
    if not given and not announced:
        return None
    arguments: object = next((found for found in given if found is not None), None)
    if arguments is None:
        return Call(value["name"], "{}")
    if isinstance(arguments, str):
        return Call(value["name"], normal_arguments(arguments)) if _loads(arguments) is not None else None
    if not isinstance(arguments, dict):
        return None
    return Call(value["name"], dump_object(cast("dict[str, Any]", arguments)))


def normal_arguments(text: str) -> str:
    """Return the arguments in one spelling. Text that is not a JSON object stays as it is."""
    value = _loads(text)
    return text if value is None else dump_object(value)


def dump_object(value: dict[str, Any]) -> str:
    """Return JSON text. Half of a surrogate pair stays the escape that it was."""
    text = json.dumps(value, ensure_ascii=False)
    return json.dumps(value) if _HALF.search(text) else text


def _loads(text: str) -> dict[str, Any] | None:
    """An object, raw control characters in its strings allowed; without NaN and numbers that overflow to infinity."""
    try:
        count_values(text.encode("utf-8", "surrogatepass"))
        value = json.loads(text, strict=False)
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None
