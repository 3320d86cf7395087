"""Telling tool calls from content in the text of a model, while it comes.

Text that can still become part of a call is held back. If it turns out not to be a call, it becomes content, as the
model wrote it. The content and the calls do not depend on the pieces in which the text comes.

A call begins when the name of an offered function and the opening bracket of its arguments have come. From then on, its
arguments are passed on as they come, also if they are not JSON, as OpenAI does ("the model does not always generate
valid JSON"), because nothing that was sent can be taken back. Before that point, malformed text is content. A call of a
function that was not offered is content too: OpenAI never returns one, and clients look names up in their own table.

White space before, between and after calls is dropped. Before a call that follows other content, it is kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection

from gateway_lambda.generation.deltas import Content, Delta
from gateway_lambda.tools.call_syntax import Call, CallSyntax
from gateway_lambda.tools.candidate import Candidate
from gateway_lambda.tools.said import Said, new_call_id

_SPACE = re.compile(r"[ \t\r\n]*")


class CallParser:
    """The parser of one choice. Feed it the visible text in pieces, and `mark` its control tokens; then `finish`.

    `done`: the text is over, or, with `parallel` false, the first call is. Text after that is ignored.
    """

    unwraps = False

    def __init__(
        self,
        syntax: CallSyntax,
        names: Collection[str],
        *,
        parallel: bool = True,
        new_id: Callable[[], str] = new_call_id,
    ) -> None:
        self._names = names
        self._parallel = parallel
        self._syntax = syntax
        self._said = Said(new_id)
        self.done = False
        self._state: _State = CallParser._text
        self._held = ""  # the end of the text so far, which an opener or a closer begins with
        self._candidate = Candidate("", "", announced=False)
        self._call_depth = 0

    @property
    def calls(self) -> int:
        """How many calls have begun."""
        return self._said.calls

    def feed(self, text: str) -> list[Delta]:
        """Return what is certain after `text`, the next piece."""
        if self._said.anything and not self._held and self._state is CallParser._text:
            for first in self._syntax.firsts:
                if first in text:
                    break
            else:
                return [Content(text)] if text else []
        if self._held:
            text, self._held = self._held + text, ""
        at = 0
        while at < len(text) and not self.done:
            at = self._state(self, text, at)
        return self._said.take()

    def mark(self, token: str) -> list[Delta]:
        """Return what is certain after a control token. Openers and closers end the current part; others do nothing."""
        closer = self._syntax.openers.get(token)
        if self.done or (closer is None and token not in self._syntax.openers.values()):
            return []
        self._settle()
        if closer is not None:
            self._open("", closer, announced=True)
        return self._said.take()

    def finish(self) -> list[Delta]:
        """Return what is certain because the text is over."""
        if not self.done:
            self._settle()
            if self._said.space and not self._said.calls:
                self._said.content("")
            self.done = True
        return self._said.take()

    def _text(self, text: str, at: int) -> int:
        """Content, until something announces calls."""
        if not self._said.anything:
            begin = _SPACE.match(text, at).end()  # pyright: ignore[reportOptionalMemberAccess]
            self._said.space += text[at:begin]
            at = begin
            if not self._said.calls and self._syntax.begins_bare(text, at):
                self._open("", "", announced=False)
                return at
        found = self._syntax.opener.search(text, at)
        if found:
            if found.start() > at:
                self._said.content(text[at : found.start()])
            self._open(found.group(), self._syntax.openers[found.group()], announced=True)
            return found.end()
        unfinished = self._syntax.unfinished_opener(text, at)
        if unfinished > at:
            self._said.content(text[at:unfinished])
        self._held = text[unfinished:]
        return len(text)

    def _open(self, opener: str, closer: str, *, announced: bool) -> None:
        self._candidate = Candidate(opener, closer, announced=announced)
        self._state = CallParser._opening

    def _opening(self, text: str, at: int) -> int:
        """Behind an opener: an object, or a list of them."""
        candidate = self._candidate
        begin = _SPACE.match(text, at).end()  # pyright: ignore[reportOptionalMemberAccess]
        candidate.add(text[at:begin])
        if begin == len(text):
            return begin
        if text[begin] == "[" and not candidate.in_list:
            candidate.in_list = True
            candidate.add("[")
            return begin + 1
        if text[begin] == "{":
            candidate.begin_object()
            self._state = CallParser._unproven
        else:
            self._release(CallParser._text)
        return begin

    def _unproven(self, text: str, at: int) -> int:
        """An object that may be a call, held back."""
        candidate = self._candidate
        end = candidate.step(text, at)
        verdict = candidate.verdict(self._names)
        over = candidate.scanner.failed or candidate.scanner.depth == 0
        if verdict is False:
            self._release(CallParser._text if over else CallParser._no_call)
        elif isinstance(verdict, Call):
            candidate.taken()
            self._said.call(verdict.name)
            self._said.arguments(verdict.arguments)
            self._call_depth = candidate.scanner.depth
            self._state = CallParser._arguments
            if over:
                self._end_call(CallParser._between)
        return end

    def _no_call(self, text: str, at: int) -> int:
        """The rest of an object that is content."""
        end = self._candidate.scanner.step(text, at)
        self._said.content(text[at:end])
        if self._candidate.scanner.failed or self._candidate.scanner.depth == 0:
            self._state = CallParser._text
        return end

    def _arguments(self, text: str, at: int) -> int:
        """The arguments of a call that was begun."""
        scanner = self._candidate.scanner
        end = scanner.step(text, at)
        if scanner.control:
            self._said.arguments(text[at : end - 1] + json.dumps(text[end - 1])[1:-1])
        else:
            self._said.arguments(text[at:end])
        if scanner.failed:
            self._state = CallParser._broken_arguments
        elif scanner.depth < self._call_depth:
            self._end_call(CallParser._rest_of_object)
        return end

    def _broken_arguments(self, text: str, at: int) -> int:
        """Arguments that stopped being JSON: all there is, up to the closer."""
        closer = self._candidate.closer
        found = text.find(closer, at) if closer else -1
        if found >= 0:
            self._said.arguments(text[at:found])
            self._end_call(CallParser._text)
            return found + len(closer)
        last = text.rfind(closer[0], at) if closer else -1
        if last >= 0 and closer.startswith(text[last:]):
            self._held = text[last:]
        self._said.arguments(text[at : len(text) - len(self._held)])
        return len(text)

    def _rest_of_object(self, text: str, at: int) -> int:
        """Behind the arguments: other keys, closing brackets."""
        end = self._candidate.scanner.step(text, at)
        if self._candidate.scanner.failed or self._candidate.scanner.depth == 0:
            self._state = CallParser._between
        return end

    def _between(self, text: str, at: int) -> int:
        """Behind a call: a closer, another call, or content."""
        begin = _SPACE.match(text, at).end()  # pyright: ignore[reportOptionalMemberAccess]
        self._said.space += text[at:begin]
        if begin == len(text):
            return begin
        char, closer = text[begin], self._candidate.closer
        if closer and text.startswith(closer, begin):
            self._said.space = ""
            self._state = CallParser._text
            return begin + len(closer)
        if closer.startswith(text[begin:]):
            self._held = text[begin:]
            return len(text)
        if char == "]" and self._candidate.in_list:
            self._candidate.in_list = False
            self._said.space = ""
            return begin + 1
        if char == ("," if self._candidate.in_list else ";"):
            self._said.space += char
            return begin + 1
        if char == "{":
            self._candidate.begin_object()
            self._state = CallParser._unproven
        else:
            self._state = CallParser._text
        return begin

    def _end_call(self, state: _State) -> None:
        self._said.anything = False
        self._said.space = ""
        self._state = state
        self.done = not self._parallel

    def _release(self, state: _State) -> None:
        self._said.content(self._candidate.taken())
        self._state = state

    def _settle(self) -> None:
        """End what is going on, because no more of it comes."""
        held, self._held = self._held, ""
        if self._state in (CallParser._opening, CallParser._unproven):
            self._release(CallParser._text)
        elif self._state is CallParser._broken_arguments:
            self._said.arguments(held)
        elif self._state is CallParser._text and held:
            self._said.content(held)
        if self._state not in (CallParser._text, CallParser._no_call):
            self._said.anything = False
        self._state = CallParser._text


_State = Callable[[CallParser, str, int], int]
"""Reads `text` from an index, returns where it stopped, and sets the state that continues there."""
