"""Metric math: what an expression says, as a tree.

Source: using-metric-math.html of the CloudWatch user guide. `functions.py` computes a tree.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class Number:
    """A number."""

    value: float


@dataclass(frozen=True)
class Name:
    """The id of a query, or a word as `REPEAT`."""

    name: str


@dataclass(frozen=True)
class Call:
    """A function or an operator, and what it is applied to."""

    function: str
    arguments: tuple[Tree, ...]


Tree = Number | Name | Call

_TOKEN = re.compile(r"\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|([A-Za-z_]\w*)|(<=|>=|==|!=|&&|\|\||[-+*/^<>(),]))")
_LEVELS: Sequence[Sequence[str]] = (
    ("||", "OR"),
    ("&&", "AND"),
    ("==", "!=", "<", "<=", ">", ">="),
    ("+", "-"),
    ("*", "/"),
)
"""Operators, the weakest first."""
_SAME = {"OR": "||", "AND": "&&"}


class NotUnderstood(ValueError):
    """An expression that this cloud cannot read or compute."""


@lru_cache(maxsize=1024)
def parse(text: str) -> Tree:
    """Return the tree of an expression.

    Raises:
        NotUnderstood: the text is not an expression, or this cloud cannot compute it.
    """
    tokens = _tokens(text)
    reader = _Reader(text, tokens)
    tree = reader.level(0)
    if reader.next is not None:
        raise NotUnderstood(f"{text!r}: {reader.next!r} does not belong there")
    return tree


def names(tree: Tree) -> set[str]:
    """Return the names in a tree."""
    if isinstance(tree, Name):
        return {tree.name}
    return {name for one in tree.arguments for name in names(one)} if isinstance(tree, Call) else set()


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            raise NotUnderstood(f"{text!r}: this cloud does not read {text[at:].strip()!r}")
        tokens.append(found[0].strip())
        at = found.end()
    return tokens


class _Reader:
    """Reads tokens from the left."""

    def __init__(self, text: str, tokens: list[str]) -> None:
        self._text = text
        self._tokens = tokens
        self._at = 0

    @property
    def next(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def level(self, level: int) -> Tree:
        """Operators of a level and of those that bind tighter."""
        if level == len(_LEVELS):
            return self._power()
        left = self.level(level + 1)
        while self.next in _LEVELS[level]:
            operator = self._take()
            left = Call(_SAME.get(operator, operator), (left, self.level(level + 1)))
        return left

    def _power(self) -> Tree:
        if self.next == "-":
            self._take()
            return Call("negative", (self._power(),))
        base = self._single()
        if self.next == "^":
            self._take()
            return Call("^", (base, self._power()))
        return base

    def _single(self) -> Tree:
        if self.next == "(":
            self._take()
            inside = self.level(0)
            self._expect(")")
            return inside
        token = self._take()
        if token[0].isdigit() or token[0] == ".":
            return Number(float(token))
        if not (token[0].isalpha() or token[0] == "_"):
            raise NotUnderstood(f"{self._text!r}: {token!r} does not belong there")
        return self._call(token) if self.next == "(" else Name(token)

    def _call(self, function: str) -> Tree:
        self._take()
        arguments: list[Tree] = []
        while self.next != ")":
            arguments.append(self.level(0))
            if self.next != ")":
                self._expect(",")
        self._take()
        return Call(function, tuple(arguments))

    def _take(self) -> str:
        token = self.next
        if token is None:
            raise NotUnderstood(f"{self._text!r} ends too early")
        self._at += 1
        return token

    def _expect(self, token: str) -> None:
        if self.next != token:
            raise NotUnderstood(f"{self._text!r}: {token!r} is missing")
        self._take()
