"""Reading an answer to tools together with a response format: one call, or an answer in the format.

`forced_call_grammar.py` makes the grammar: `{"function": {"name": …, "arguments": {…}}}`, or
`{"function": {"answer": …}}`. The answer is content, without what is around it.
"""

from __future__ import annotations

import re

from gateway_lambda.generation.deltas import Content, Delta
from gateway_lambda.tools.call_parser import CallParser
from gateway_lambda.tools.call_syntax import SYNTAXES
from gateway_lambda.tools.json_scanner import JsonScanner
from gateway_lambda.tools.syntaxes.frame import Functions

_ANSWER = re.compile(r'\{ ?"function" ?: ?\{ ?"answer" ?: ?"?(?=\{)')
_SQUEEZED = '{"function":{"answer":"'
_LONGEST = 40
"""Characters before an answer, with all spaces that the grammar allows."""


class AnswerOrCallParser(CallParser):
    """Parses one choice, as `CallParser` does."""

    unwraps = True

    def __init__(self, functions: Functions) -> None:
        super().__init__(SYNTAXES["forced"], functions)
        self._start: str | None = ""
        """The text so far, until it shows which of the two it is."""
        self._scanner: JsonScanner | None = None
        """Follows the answer to its end."""

    def feed(self, text: str) -> list[Delta]:
        """Return what `text`, the next piece, makes certain."""
        if self._scanner is not None:
            return self._answer(self._scanner, text)
        if self._start is None:
            return super().feed(text)
        start = self._start = self._start + text
        found = _ANSWER.match(start)
        if found:
            self._scanner = JsonScanner()
            return self._answer(self._scanner, start[found.end() :])
        if len(start) < _LONGEST and _SQUEEZED.startswith(start.replace(" ", "")):
            return []
        self._start = None
        return super().feed(start)

    def finish(self) -> list[Delta]:
        """Return what is certain because the text is over."""
        start, self._start = self._start, None
        deltas = super().feed(start) if start and self._scanner is None else []
        return deltas + super().finish()

    def _answer(self, scanner: JsonScanner, text: str) -> list[Delta]:
        at = 0
        while at < len(text) and not self.done:
            at = scanner.step(text, at, least=1)
            if scanner.failed:
                at = len(text)
            self.done = not scanner.failed and scanner.depth == 0
        return [Content(text[:at])] if at else []
