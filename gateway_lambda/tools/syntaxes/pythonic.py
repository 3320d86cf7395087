"""Calls in the form of Python: `[f(a=1, b="x"), g()]`."""

from __future__ import annotations

import ast
import warnings
from math import isfinite
from typing import Any

from gateway_lambda.tools.json_call import dump_object
from gateway_lambda.tools.syntaxes.frame import Call, Frame, Functions
from gateway_lambda.tools.syntaxes.header import NAME, SPACE, Header, literal

_DEEPEST = 32
"""Levels of brackets. Deeper text is content, long before Python's own parser fails."""
_JSON = {"true": True, "false": False, "null": None}
_CLOSERS = {"[": "]", "(": ")", "{": "}"}


class PythonicBody:
    """A list of calls, up to its last bracket. `header` is its beginning."""

    def __init__(self, name: str, header: str) -> None:
        self._parts: list[str] = []
        self._open: list[str] = []
        self._quote = ""
        self._escaped = False
        self._broken = False
        self.over = False
        self.step(header, 0)

    def step(self, text: str, at: int) -> int:
        """Take more of `text` from `at`, up to the end of the list, or to what cannot be one."""
        while at < len(text) and not self.over:
            self._parts.append("\\n" if self._quote and text[at] == "\n" else text[at])
            self._take(text[at])
            at += 1
        return at

    def calls(self, functions: Functions) -> list[Call]:
        """Return the calls; none if one of them is not of these functions, or is not valid."""
        if self._broken:
            return []
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse("".join(self._parts).strip(), mode="eval").body
            if not isinstance(tree, ast.List):
                return []
            return [_call(element, functions) for element in tree.elts]
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return []

    def _take(self, char: str) -> None:
        if self._quote:
            if self._escaped:
                self._escaped = False
            elif char == "\\":
                self._escaped = True
            elif char == self._quote:
                self._quote = ""
        elif char in "\"'":
            self._quote = char
        elif char in _CLOSERS:
            self._open.append(_CLOSERS[char])
            self.over = self._broken = len(self._open) > _DEEPEST
        elif char in "])}":
            self._broken = self._open.pop() != char
            self.over = self._broken or not self._open


def _call(node: ast.expr, functions: Functions) -> Call:
    """Raises `ValueError` for anything but a call of these functions with named arguments."""
    if not isinstance(node, ast.Call) or node.args or not isinstance(node.func, ast.Name):
        raise ValueError
    if node.func.id not in functions:
        raise ValueError
    arguments: dict[str, Any] = {}
    for keyword in node.keywords:
        if keyword.arg is None:
            raise ValueError
        arguments[keyword.arg] = _value(keyword.value)
    return Call(node.func.id, dump_object(arguments))


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value) if value is None or isinstance(value, (str, bool, int)):
            return value
        case ast.Constant(float() as value) if isfinite(value):
            return value
        case ast.Name(name) if name in _JSON:
            return _JSON[name]
        case ast.UnaryOp(ast.USub(), ast.Constant(int() | float() as value)):
            return -value
        case ast.List(elements) | ast.Tuple(elements):
            return [_value(element) for element in elements]
        case ast.Dict(keys, values):
            return {_key(key): _value(value) for key, value in zip(keys, values, strict=True)}
        case _:
            raise ValueError


def _key(node: ast.expr | None) -> str:
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        raise ValueError
    return node.value


_LIST = Header(SPACE, literal("["), SPACE, NAME, SPACE, literal("("))

BARE = Frame("", (), _LIST, PythonicBody)
"""Llama 3.2 and 4, without an opener."""
PYTHON_START = Frame("<|python_start|>", ("<|python_end|>",), _LIST, PythonicBody)
"""Llama 4."""
TOOL_CALL_START = Frame("<|tool_call_start|>", ("<|tool_call_end|>",), _LIST, PythonicBody)
"""LFM2."""
