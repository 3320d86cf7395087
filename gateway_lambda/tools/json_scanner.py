"""Scanning JSON text that comes in pieces: its depth, its end, and where it stops being JSON.

Each character is read once, and many together if possible, so the cost is linear for any pieces.
"""

from __future__ import annotations

import re

_STRING_RUN = re.compile(r'[^"\\\x00-\x1f]*')
_SPACE_RUN = re.compile(r"[ \t\r\n]*")
_LITERAL_RUN = re.compile(r"[-+.0-9A-Za-z]*")
_LITERAL = re.compile(r"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")

_DEEPEST = 64
"""Levels of brackets. Deeper text counts as broken, long before Python's own parser fails."""
_LONGEST_LITERAL = 512
"""Characters of a number."""

# What may come next outside a string.
_VALUE, _VALUE_OR_END, _KEY, _KEY_OR_END, _COLON, _COMMA_OR_END = range(6)


class JsonScanner:
    """Scans one value, which starts with a bracket.

    The value is complete when `depth` is 0 again. `failed`: the text stopped being JSON. `bracket`: the bracket where
    the last step ended, or "". `control`: the last character is a raw control character inside a string, which models
    write, but which JSON must escape.
    """

    __slots__ = ("_closers", "_escape", "_in_string", "_is_key", "_literal", "_next", "bracket", "control", "failed")

    def __init__(self) -> None:
        self._closers: list[str] = []
        self._next = _VALUE
        self._in_string = False
        self._is_key = False
        self._escape = 0
        """Inside a string: 5 before the character after a backslash, 4 to 1 before as many hex digits."""
        self._literal = ""
        self.bracket = ""
        self.control = False
        self.failed = False

    @property
    def depth(self) -> int:
        """How many brackets are open."""
        return len(self._closers)

    def step(self, text: str, at: int, *, least: int = _DEEPEST + 1) -> int:
        """Scan `text` from `at`, and return where the scan stopped.

        It stops after a bracket outside strings, if fewer than `least` are open then; after a control character inside
        a string; before a character that JSON does not allow (`failed`); or at the end of `text`.
        """
        self.bracket = ""
        self.control = False
        while at < len(text):
            if self._in_string:
                at = self._string(text, at)
                if self.control or self.failed:
                    return at
            elif self._literal:
                at = self._more_literal(text, at)
            else:
                at = _SPACE_RUN.match(text, at).end()  # pyright: ignore[reportOptionalMemberAccess]
                if at == len(text):
                    return at
                char = text[at]
                if char in "{}[]":
                    at += self._bracket(char)
                    if len(self._closers) < least:
                        return at
                else:
                    at += self._begin(char)
            if self.failed:
                return at
        return at

    def _string(self, text: str, at: int) -> int:
        if self._escape:
            wanted = '"\\/bfnrtu' if self._escape == 5 else "0123456789abcdefABCDEF"
            if text[at] not in wanted:
                self.failed = True
                return at
            self._escape = self._escape - 1 if self._escape < 5 or text[at] == "u" else 0
            return at + 1
        at = _STRING_RUN.match(text, at).end()  # pyright: ignore[reportOptionalMemberAccess]
        if at == len(text):
            return at
        if text[at] == '"':
            self._in_string = False
            self._next = _COLON if self._is_key else _COMMA_OR_END
        elif text[at] == "\\":
            self._escape = 5
        else:
            self.control = True
        return at + 1

    def _more_literal(self, text: str, at: int) -> int:
        most = at + _LONGEST_LITERAL + 1 - len(self._literal)
        end = _LITERAL_RUN.match(text, at, most).end()  # pyright: ignore[reportOptionalMemberAccess]
        self._literal += text[at:end]
        if len(self._literal) > _LONGEST_LITERAL:
            self.failed = True
        elif end < len(text):
            self.failed = not _LITERAL.fullmatch(self._literal)
            self._literal = ""
            self._next = _COMMA_OR_END
        return end

    def _bracket(self, char: str) -> int:
        """Characters taken: 1, or 0 when the bracket may not be here."""
        if char in "{[":
            if self._next in (_VALUE, _VALUE_OR_END) and self.depth < _DEEPEST:
                self._closers.append("}" if char == "{" else "]")
                self._next = _KEY_OR_END if char == "{" else _VALUE_OR_END
                self.bracket = char
                return 1
        elif self._next in (_COMMA_OR_END, _KEY_OR_END, _VALUE_OR_END) and self._closers[-1:] == [char]:
            self._closers.pop()
            self._next = _COMMA_OR_END
            self.bracket = char
            return 1
        self.failed = True
        return 0

    def _begin(self, char: str) -> int:
        """Characters taken: 1, or 0 when `char` may not be here or begins a literal."""
        if self._next == _COLON and char == ":":
            self._next = _VALUE
            return 1
        if self._next == _COMMA_OR_END and char == "," and self._closers:
            self._next = _KEY if self._closers[-1] == "}" else _VALUE
            return 1
        if char == '"' and self._next in (_KEY, _KEY_OR_END, _VALUE, _VALUE_OR_END):
            self._in_string = True
            self._is_key = self._next in (_KEY, _KEY_OR_END)
            return 1
        if self._next in (_VALUE, _VALUE_OR_END) and char in "-0123456789tfn":
            self._literal = char
            return 1
        self.failed = True
        return 0
