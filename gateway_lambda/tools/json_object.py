"""A regular expression for JSON objects, for `response_format: {"type": "json_object"}` where TGI has no such type.

A regular expression has a limited depth, so objects and lists can have four levels, including the outermost:
`{"rows": [{"tags": ["a"]}]}`. One space is allowed after `:` and `,`, and nowhere else, as in TGI's own expressions,
because a model that can write endless white space does so.

A list is written `((x,)*x)?` and not `(x(,x)*)?`. Both match the same lists, but TGI's compiler needs 4 seconds for the
whole expression instead of 37 (once for each replica and expression; 27 thousand characters, 586 states).
"""

from __future__ import annotations

DEPTH = 4
"""Levels of objects and lists. Each level makes the expression four times as long."""

_STRING = r'"([^"\\\x00-\x1F]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"'
_NUMBER = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?"
_SCALAR = f"{_STRING}|{_NUMBER}|true|false|null"


def json_object(depth: int = DEPTH) -> str:
    """Return the expression for objects of at most `depth` levels, without anchors, because TGI matches all text."""
    return r"\{" + _joined(f"{_STRING}:[ ]?{_value(depth - 1)}") + r"\}"


def _value(depth: int) -> str:
    if not depth:
        return f"({_SCALAR})"
    return rf"({json_object(depth)}|\[{_joined(_value(depth - 1))}\]|{_SCALAR})"


def _joined(item: str) -> str:
    return f"(({item},[ ]?)*{item})?"


JSON_OBJECT = json_object()
