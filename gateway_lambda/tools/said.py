"""Collecting the parts of a text while it is parsed."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from gateway_lambda.generation.deltas import CallArguments, CallStart, Content, Delta


def new_call_id() -> str:
    """Return `call_` and 24 random URL-safe characters."""
    return "call_" + secrets.token_urlsafe(18)


class Said:
    """Collects the parts of a text while it is parsed. Neighbours of the same kind become one delta.

    `space`: white space that becomes content if content follows. `anything`: there was content since the beginning, or
    since the last call. `calls`: how many calls have begun.
    """

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._deltas: list[Delta] = []
        self._content: list[str] = []
        self._arguments: list[str] = []
        self.space = ""
        self.anything = False
        self.calls = 0

    def content(self, text: str) -> None:
        """Add text outside calls, after the white space before it."""
        self._end_arguments()
        self._content.append(self.space + text)
        self.space = ""
        self.anything = True

    def call(self, name: str, id: str | None = None) -> None:
        """Begin a call. White space before it is dropped. `id`: the one that the model gave it."""
        self._end_content()
        self._end_arguments()
        self.space = ""
        self._deltas.append(CallStart(self.calls, id or self._new_id(), name))
        self.calls += 1

    def arguments(self, text: str) -> None:
        """Add to the arguments of the last call."""
        self._end_content()
        self._arguments.append(text)

    def take(self) -> list[Delta]:
        """Return what was collected since the last time."""
        self._end_content()
        self._end_arguments()
        deltas, self._deltas = self._deltas, []
        return deltas

    def _end_content(self) -> None:
        text = "".join(self._content)
        self._content.clear()
        if text:
            self._deltas.append(Content(text))

    def _end_arguments(self) -> None:
        text = "".join(self._arguments)
        self._arguments.clear()
        if text:
            self._deltas.append(CallArguments(self.calls - 1, text))
