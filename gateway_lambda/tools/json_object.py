"""A regular expression for JSON objects, for `response_format: {"type": "json_object"}` where TGI has no such type.

Regular expressions do not nest without end, so objects and lists may lie four deep in one another, the outermost
counted: `{"rows": [{"tags": ["a"]}]}`. Behind `:` and `,` there may be one space and nowhere else any, as in TGI's
own expressions: a model that may put white space without end does so.

A list is written `((x,)*x)?` and not `(x(,x)*)?`: the same lists, but TGI's compiler needs 4 seconds for the whole
expression instead of 37 (once a replica and expression; 27 thousand characters, 586 states).
"""

from __future__ import annotations

DEPTH = 4
"""Objects and lists in one another. Each level makes the expression four times as long."""

_STRING = r'"([^"\\\x00-\x1F]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"'
_NUMBER = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?"
_SCALAR = f"{_STRING}|{_NUMBER}|true|false|null"


def json_object(depth: int = DEPTH) -> str:
    """The expression for objects of at most `depth` levels; without anchors, as TGI matches the whole text."""
    return r"\{" + _joined(f"{_STRING}:[ ]?{_value(depth - 1)}") + r"\}"


def _value(depth: int) -> str:
    if not depth:
        return f"({_SCALAR})"
    return rf"({json_object(depth)}|\[{_joined(_value(depth - 1))}\]|{_SCALAR})"


def _joined(item: str) -> str:
    return f"(({item},[ ]?)*{item})?"


JSON_OBJECT = json_object()
