"""Text that can turn out to be calls: what follows an opener, until it ends.

Text is held back until it is a call, or cannot be one. JSON arguments are then passed on as they come. What is not a
call is content, as the model wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gateway_lambda.tools.candidate import Candidate
from gateway_lambda.tools.json_scanner import JsonScanner
from gateway_lambda.tools.json_states import JsonStates, State
from gateway_lambda.tools.said import Said
from gateway_lambda.tools.syntaxes.frame import LONGEST_HEADER, Body, Frame, Functions
from gateway_lambda.tools.syntaxes.json_objects import START

SPACE = re.compile(r"[ \t\r\n]*")


class CallBlock(JsonStates):
    """What follows one opener. `frames` are the forms that it can have.

    `opener`: its text, or "" for a control token. `over`: the block has ended. `again`: text of the block that is to be
    read again as text, after its end. `waits`: the rest of the text can become a closer.
    """

    def __init__(
        self, opener: str, frames: Sequence[Frame], functions: Functions, said: Said, *, parallel: bool
    ) -> None:
        self._frames = frames
        super().__init__(Candidate(opener, announced=bool(frames[0].opener)), functions, said, self._opening)
        self._parallel = parallel
        self._announced = bool(frames[0].opener)
        self._head = ""
        self._shown_head = ""
        self._silent = False
        self._closed = False
        self._body: Body | None = None
        self.done = False
        self.again = ""

    def feed(self, text: str, at: int) -> int:
        """Read `text` from `at`, and return where it stopped."""
        self.waits = False
        while at < len(text) and not self.over and not self.waits:
            at = self._state(text, at)
        return at

    def token(self, token: str) -> bool:
        """Take a control token that belongs to the block, and is not shown. Return False for any other."""
        if self._state == self._between and token in self._closers:
            self._close(token)
            return True
        if self._state not in (self._opening, self._in_body) or not any(token in each.inner for each in self._frames):
            return False
        self._silent = True
        self.feed(token, 0)
        self._silent = False
        return self._state != self._opening or not self.over

    def settle(self, held: str) -> None:
        """End the block, because no more of it comes. `held`: text that was not read."""
        if self._state in (self._opening, self._unproven, self._in_body):
            self._give_back(self._candidate.taken() + self._shown_head)
        elif self._state == self._broken_arguments:
            self._said.arguments(held)
            self._said.anything = False
        elif self._state != self._no_call:
            self._said.anything = False

    def _opening(self, text: str, at: int) -> int:
        """Behind the opener: the header of one of the frames."""
        before = len(self._head)
        piece = text[at : at + LONGEST_HEADER + 1 - before]
        self._head += piece
        for frame in self._frames:
            found = (frame.header or START).match(self._head)
            if found and found.end() <= LONGEST_HEADER:
                return self._begin(frame, found, text, at, before)
        self._shown_head += "" if self._silent else piece
        if len(self._head) > LONGEST_HEADER or not any(
            (frame.header or START).begins(self._head) for frame in self._frames
        ):
            return self._no_header(at + len(piece))
        return at + len(piece)

    def _begin(self, frame: Frame, found: re.Match[str], text: str, at: int, before: int) -> int:
        end = at + found.end() - before
        self._shown_head += "" if self._silent else text[at:end]
        name = None if frame.header is None else found["name"]
        if name is not None and name not in self._functions:
            return self._no_header(end)
        self._frames = (frame,)
        self._closers = frame.closers
        self._candidate.add(self._shown_head)
        self._shown_head = ""
        if name is None:
            self._candidate.in_list = "[" in found.group()
            self._candidate.begin_object()
            self._state = self._unproven
        elif frame.body is not None:
            self._body = frame.body(name, found.group())
            self._state = self._in_body
            if self._body.over:
                self._end_body(self._body)
        else:
            self._candidate.taken()
            self._candidate.scanner = JsonScanner()
            self._call_depth = 1
            self._said.call(name, found.groupdict().get("id"))
            self._state = self._arguments
        return end

    def _no_header(self, end: int) -> int:
        """The opener is content, and what followed it is text, in which another call can begin."""
        again, self._shown_head = self._shown_head, ""
        bare = 0 if self._announced else 1
        self._give_back(self._candidate.taken() + again[:bare])
        self.again = again[bare:]
        self.over = True
        return end

    def _in_body(self, text: str, at: int) -> int:
        """A body that is converted when it is complete."""
        body = self._body
        if body is None:
            raise RuntimeError("there is no body")
        end = body.step(text, at)
        if not self._silent:
            self._candidate.add(text[at:end])
        if body.over:
            self._end_body(body)
        return end

    def _end_body(self, body: Body) -> None:
        calls = body.calls(self._functions)
        raw = self._candidate.taken()
        if not calls:
            self._give_back(raw)
            self.over = True
            return
        for call in calls if self._parallel else calls[:1]:
            self._said.call(call.name)
            self._said.arguments(call.arguments)
        self._end_call(self._between)

    def _between(self, text: str, at: int) -> int:
        """Behind a call: a closer, another call, or the end of the block."""
        begin = SPACE.match(text, at).end()  # pyright: ignore[reportOptionalMemberAccess]
        self._said.space += text[at:begin]
        if begin == len(text):
            return begin
        for closer in self._closers:
            if text.startswith(closer, begin):
                self._close(closer)
                return begin + len(closer)
        if any(closer.startswith(text[begin:]) for closer in self._closers):
            self.waits = True
            return begin
        if self._closed or self._frames[0].header is not None:
            return self._after_call(begin)
        return self._next_object(text[begin], begin)

    def _next_object(self, char: str, at: int) -> int:
        if char == "]" and self._candidate.in_list:
            self._candidate.in_list = False
            self._said.space = ""
            return at + 1
        if char == ("," if self._candidate.in_list else ";"):
            self._said.space += char
            return at + 1
        if char == "{":
            self._candidate.begin_object()
            self._state = self._unproven
        else:
            self.over = True
        return at

    def _after_call(self, at: int) -> int:
        if self._frames[0].repeats and not self._closed:
            self._head = ""
            self._state = self._opening
        else:
            self.over = True
        return at

    def _close(self, closer: str) -> None:
        self._closers = self._closers[self._closers.index(closer) + 1 :]
        self._closed = True
        self._said.space = ""
        self.over = not self._closers

    def _give_back(self, text: str) -> None:
        if text:
            self._said.content(text)

    def _end_call(self, state: State) -> None:
        self._said.anything = False
        self._said.space = ""
        self._state = state
        self.done = self.over = not self._parallel
