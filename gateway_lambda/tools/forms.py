"""How models write calls: what announces them, and what a call's JSON object looks like.

hermes    `<tool_call>{"name": …, "arguments": {…}}</tool_call>`, one tag a call, or several objects in one
llama3    `{"name": …, "parameters": {…}}` as the whole answer, or behind `<|python_tag|>`; several with `;` between
mistral   `[TOOL_CALLS] [{"name": …, "arguments": {…}}, …]`, the marker being a control token; without it, a list as
          the whole answer
any       all of these
forced    what `forced.py`'s grammar makes: `{"function": {"name": …, "arguments": {…}}}` as the whole answer
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any, cast

import msgspec

from gateway_lambda.bounded_json import count_values


class Form:
    """`openers`: what announces calls, with what closes them ("": nothing does). `firsts`: the openers' first
    characters, each of which an opener holds only once. `bare`: characters that may begin calls when they are the
    first of the whole answer.
    """

    def __init__(self, openers: Mapping[str, str], bare: str = "") -> None:
        self.openers = openers
        self.bare = bare
        self.opener = re.compile("|".join(map(re.escape, openers)) or r"(?!)")
        self.firsts = "".join(dict.fromkeys(opener[0] for opener in openers))

    def begins_bare(self, text: str, at: int) -> bool:
        """Whether an answer that starts at `at` may start with a call that nothing announces."""
        if text[at : at + 1] not in (*self.bare,):
            return False
        return not any(opener.startswith(text[at : at + len(opener)]) for opener in self.openers)

    def unfinished_opener(self, text: str, at: int) -> int:
        """Where the end of `text` starts that an opener begins with; its length when there is none."""
        last = max((text.rfind(first, at) for first in self.firsts), default=-1)
        if last >= 0 and any(opener.startswith(text[last:]) for opener in self.openers):
            return last
        return len(text)


_HERMES = {"<tool_call>": "</tool_call>"}
_LLAMA3 = {"<|python_tag|>": ""}
_MISTRAL = {"[TOOL_CALLS]": ""}

FORMS: Mapping[str, Form] = {
    "hermes": Form(_HERMES),
    "llama3": Form(_LLAMA3, bare="{"),
    "mistral": Form(_MISTRAL, bare="["),
    "any": Form({**_HERMES, **_LLAMA3, **_MISTRAL}, bare="{["),
    "forced": Form({}, bare="{"),
}

LONGEST_HEADER = 512
"""Characters up to the arguments' bracket. Behind a longer one, a call is told only when it is complete."""

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
    """The function's name, when `text` is a call up to its arguments' bracket. At most `LONGEST_HEADER` characters."""
    found = _HEADER.fullmatch(text)
    return found["name"] if found else None


def may_be_call(start: str) -> bool | None:
    """Whether an object that begins like this may be a call; None while that is too early to say."""
    found = _FIRST_KEY.match(start, 0, _LONGEST_START)
    if found:
        return found["key"] in _FIRST_KEYS
    return False if len(start) >= _LONGEST_START else None


def read_call(text: str, names: Collection[str], *, announced: bool) -> Call | None:
    """The call that a complete JSON object is, of a function in `names`; None when it is none.

    Arguments may be an object, or a string that holds one. None at all is `{}` where an opener announced the call;
    elsewhere such an object is an answer.
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
    """The same arguments in one spelling; as they are where they are no JSON object, or hold what JSON cannot."""
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
