"""How models write calls: the texts that announce them, and the form of their JSON objects.

hermes    `<tool_call>{"name": …, "arguments": {…}}</tool_call>`, one tag for each call, or several objects in one tag
llama3    `{"name": …, "parameters": {…}}` as the whole answer, or behind `<|python_tag|>`; several with `;` between
mistral   `[TOOL_CALLS] [{"name": …, "arguments": {…}}, …]`, the marker being a control token; without it, a list as
          the whole answer
any       all of these
forced    `{"function": {"name": …, "arguments": {…}}}` as the whole answer, by the grammar in `forced_call_grammar.py`
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any, cast

import msgspec

from gateway_lambda.bounded_json import count_values


class CallSyntax:
    """How calls are announced.

    `openers`: the texts that announce calls, with the texts that close them ("": none). `firsts`: the first characters
    of the openers; an opener has its first character only once. `bare`: characters that can begin calls at the start of
    the answer.
    """

    def __init__(self, openers: Mapping[str, str], bare: str = "") -> None:
        self.openers = openers
        self.bare = bare
        self.opener = re.compile("|".join(map(re.escape, openers)) or r"(?!)")
        self.firsts = "".join(dict.fromkeys(opener[0] for opener in openers))

    def begins_bare(self, text: str, at: int) -> bool:
        """Return whether an answer that starts at `at` can start with a call without an opener."""
        if text[at : at + 1] not in (*self.bare,):
            return False
        return not any(opener.startswith(text[at : at + len(opener)]) for opener in self.openers)

    def unfinished_opener(self, text: str, at: int) -> int:
        """Return where an unfinished opener at the end of `text` starts; the length of `text` without one."""
        last = max((text.rfind(first, at) for first in self.firsts), default=-1)
        if last >= 0 and any(opener.startswith(text[last:]) for opener in self.openers):
            return last
        return len(text)


_HERMES = {"<tool_call>": "</tool_call>"}
_LLAMA3 = {"<|python_tag|>": ""}
_MISTRAL = {"[TOOL_CALLS]": ""}

SYNTAXES: Mapping[str, CallSyntax] = {
    "hermes": CallSyntax(_HERMES),
    "llama3": CallSyntax(_LLAMA3, bare="{"),
    "mistral": CallSyntax(_MISTRAL, bare="["),
    "any": CallSyntax({**_HERMES, **_LLAMA3, **_MISTRAL}, bare="{["),
    "forced": CallSyntax({}, bare="{"),
}

LONGEST_HEADER = 512
"""Characters up to the bracket of the arguments. After a longer header, a call is known only when it is complete."""

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


class Call(msgspec.Struct, frozen=True):
    """A function's name and the JSON text of its arguments, which are an object."""

    name: str
    arguments: str


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
    return Call(value["name"], _dumps(cast("dict[str, Any]", arguments)))


def normal_arguments(text: str) -> str:
    """Return the arguments in one spelling. Text that is not a JSON object stays as it is."""
    value = _loads(text)
    return text if value is None else _dumps(value)


def _dumps(value: dict[str, Any]) -> str:
    """JSON text. Half of a surrogate pair, which is no text by itself, stays the escape that it was."""
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
