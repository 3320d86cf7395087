"""Telling tool calls from content in the text of a model, while it comes.

Text that can still become part of a call is held back. If it turns out not to be a call, it becomes content, as the
model wrote it. The content and the calls do not depend on the pieces in which the text comes.

A call begins when the name of an offered function and the opening bracket of its arguments have come. From then on, its
arguments are passed on as they come, also if they are not JSON, as OpenAI does ("the model does not always generate
valid JSON"), because nothing that was sent can be taken back. Before that point, malformed text is content. Calls in
forms that have to be converted to JSON come whole. A call of a function that was not offered is content too: OpenAI
never returns one, and clients look names up in their own table.

White space before, between and after calls is dropped. Before a call that follows other content, it is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway_lambda.generation.deltas import Content, Delta
from gateway_lambda.tools.call_block import SPACE, CallBlock
from gateway_lambda.tools.call_syntax import CallSyntax
from gateway_lambda.tools.said import Said, new_call_id
from gateway_lambda.tools.syntaxes.frame import Frame, Functions


class CallParser:
    """The parser of one choice. Feed it the visible text in pieces, and `mark` its control tokens; then `finish`.

    `done`: the text is over, or, with `parallel` false, the first call is. Text after that is ignored.
    """

    plain = False
    unwraps = False

    def __init__(
        self,
        syntax: CallSyntax,
        functions: Functions,
        *,
        parallel: bool = True,
        new_id: Callable[[], str] = new_call_id,
    ) -> None:
        self._functions = functions
        self._parallel = parallel
        self._syntax = syntax
        self._said = Said(new_id)
        self.done = False
        self._block: CallBlock | None = None
        self._held = ""  # the end of the text so far, which an opener or a closer begins with
        self._line_starts = True  # only white space is between here and the start of the line

    @property
    def calls(self) -> int:
        """How many calls have begun."""
        return self._said.calls

    def feed(self, text: str) -> list[Delta]:
        """Return what is certain after `text`, the next piece."""
        if self._block is None and self._said.anything and not self._held:
            for first in self._syntax.firsts:
                if first in text:
                    break
            else:
                self._follow_lines(text)
                return [Content(text)] if text else []
        if self._held:
            text, self._held = self._held + text, ""
        at = 0
        while at < len(text) and not self.done:
            if self._block is None:
                at = self._text(text, at)
                continue
            at = self._block.feed(text, at)
            if self._block.waits:
                self._held = text[at:]
                break
            text, at = self._left(self._block, text, at)
        return self._said.take()

    def mark(self, token: str) -> list[Delta]:
        """Return what is certain after a control token. Openers and closers end the current part; others do nothing."""
        if self.done:
            return []
        block, deltas = self._block, list[Delta]()
        if block is not None and not self._held:
            taken = block.token(token)
            text, _ = self._left(block, "", 0)
            deltas = self.feed(text) if text else self._said.take()
            if taken or self.done:
                return deltas
        frames = self._syntax.openers.get(token)
        if frames is not None or token in self._syntax.closers:
            self._settle()
            if frames is not None:
                self._open("", frames)
        return deltas + self._said.take()

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
            begin = SPACE.match(text, at).end()  # pyright: ignore[reportOptionalMemberAccess]
            self._said.space += text[at:begin]
            at = begin
        bare = self._syntax.bare_firsts if self._line_starts and not self._said.calls else ""
        begin = SPACE.match(text, at).end() if bare else at  # pyright: ignore[reportOptionalMemberAccess]
        if begin < len(text) and text[begin] in bare:
            return self._announced(text, at, begin)
        found = (self._syntax.opener if self._said.calls else self._syntax.start).search(text, at)
        if found:
            opens = found.group() in self._syntax.openers
            return self._announced(text, at, found.start() if opens else found.end() - 1)
        unfinished = self._syntax.unfinished_opener(text, at)
        self._content(text[at:unfinished])
        self._held = text[unfinished:]
        return len(text)

    def _announced(self, text: str, at: int, begin: int) -> int:
        """An opener at `begin`, or the beginning of one, or a call without an opener."""
        self._content(text[at:begin])
        opener = self._syntax.opener_at(text, begin)
        if opener:
            self._open(opener, self._syntax.openers[opener])
            return begin + len(opener)
        if opener is None:
            self._open("", self._syntax.bare)
            return begin
        self._held = text[begin:]
        return len(text)

    def _content(self, text: str) -> None:
        if text:
            self._said.content(text)
            self._follow_lines(text)

    def _follow_lines(self, text: str) -> None:
        if self._syntax.bare_firsts:
            _, line_feed, line = text.rpartition("\n")
            self._line_starts = not line.strip(" \t") and (bool(line_feed) or self._line_starts)

    def _open(self, opener: str, frames: Sequence[Frame]) -> None:
        self._block = CallBlock(opener, frames, self._functions, self._said, parallel=self._parallel)
        self._line_starts = False

    def _left(self, block: CallBlock, text: str, at: int) -> tuple[str, int]:
        """The text and the place where reading goes on, once a block is over."""
        if not block.over:
            return text, at
        self._block = None
        self.done = block.done
        if text.endswith(block.again, 0, at):
            return text, at - len(block.again)
        return block.again + text[at:], 0

    def _settle(self) -> None:
        """End what is going on, because no more of it comes."""
        held, self._held = self._held, ""
        if self._block is not None:
            self._block.settle(held)
            self._block = None
        elif held:
            self._content(held)
