"""Reading JSON objects that can be calls, and the JSON arguments of calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from gateway_lambda.tools.candidate import Candidate
from gateway_lambda.tools.said import Said
from gateway_lambda.tools.syntaxes.frame import Call, Functions

State = Callable[[str, int], int]
"""Reads a text from an index, returns where it stopped, and sets the state that continues there."""


class JsonStates:
    """The states of a block of calls in which it reads JSON. `over`: the block has ended.

    `waits`: the rest of the text can become a closer.
    """

    def __init__(self, candidate: Candidate, functions: Functions, said: Said, state: State) -> None:
        self._candidate = candidate
        self._functions = functions
        self._said = said
        self._state = state
        self._closers: tuple[str, ...] = ()
        self._call_depth = 1
        self.over = False
        self.waits = False

    def _between(self, text: str, at: int) -> int:
        """Behind a call."""
        raise NotImplementedError

    def _end_call(self, state: State) -> None:
        """A call is complete."""
        raise NotImplementedError

    def _close(self, closer: str) -> None:
        """A closer has come."""
        raise NotImplementedError

    def _unproven(self, text: str, at: int) -> int:
        """An object that may be a call, held back."""
        candidate = self._candidate
        end = candidate.step(text, at)
        verdict = candidate.verdict(self._functions)
        object_ends = candidate.scanner.failed or candidate.scanner.depth == 0
        if verdict is False:
            self._said.content(candidate.taken())
            self._state = self._no_call
            self.over = object_ends
        elif isinstance(verdict, Call):
            candidate.taken()
            self._said.call(verdict.name)
            self._said.arguments(verdict.arguments)
            self._call_depth = candidate.scanner.depth
            self._state = self._arguments
            if object_ends:
                self._end_call(self._between)
        return end

    def _no_call(self, text: str, at: int) -> int:
        """The rest of an object that is content."""
        end = self._candidate.scanner.step(text, at, least=1)
        self._said.content(text[at:end])
        self.over = self._candidate.scanner.failed or self._candidate.scanner.depth == 0
        return end

    def _arguments(self, text: str, at: int) -> int:
        """The arguments of a call that was begun."""
        scanner = self._candidate.scanner
        end = scanner.step(text, at, least=self._call_depth)
        if scanner.control:
            self._said.arguments(text[at : end - 1] + json.dumps(text[end - 1])[1:-1])
        else:
            self._said.arguments(text[at:end])
        if scanner.failed:
            self._state = self._broken_arguments
        elif scanner.depth < self._call_depth:
            self._end_call(self._rest_of_object if scanner.depth else self._between)
        return end

    def _broken_arguments(self, text: str, at: int) -> int:
        """Arguments that stopped being JSON: all there is, up to a closer."""
        found, first = min(((at_, c) for c in self._closers if (at_ := text.find(c, at)) >= 0), default=(-1, ""))
        if found >= 0:
            self._said.arguments(text[at:found])
            self._end_call(self._between)
            self._close(first)
            return found + len(first)
        last = len(text) - _unfinished(self._closers, text, at)
        self._said.arguments(text[at:last])
        self.waits = last < len(text)
        return last

    def _rest_of_object(self, text: str, at: int) -> int:
        """Behind the arguments: other keys, closing brackets."""
        end = self._candidate.scanner.step(text, at, least=1)
        if self._candidate.scanner.failed or self._candidate.scanner.depth == 0:
            self._state = self._between
        return end


def _unfinished(closers: Sequence[str], text: str, at: int) -> int:
    """The length of the longest end of `text`, not before `at`, that is the beginning of a closer."""
    longest = max(map(len, closers), default=1)
    for size in range(min(longest - 1, len(text) - at), 0, -1):
        if any(closer.startswith(text[len(text) - size :]) for closer in closers):
            return size
    return 0
