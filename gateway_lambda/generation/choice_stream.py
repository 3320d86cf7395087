"""One choice of a stream: tokens of the server in, events for the client out."""

from __future__ import annotations

from typing import cast

from gateway_lambda.generation.answer_parser import AnswerParser
from gateway_lambda.generation.choice import Finish
from gateway_lambda.generation.event_writer import CallWriter, EventWriter
from gateway_lambda.generation.generator import Generation
from gateway_lambda.generation.scores import Score, Scores, Token
from gateway_lambda.generation.shown_text import ShownText
from gateway_lambda.generation.tokens import TokenEvent


class ChoiceStream:
    """One choice of a stream, from its first token to its end.

    `finish` says why it ended, once it has. `tokens` counts the tokens, including the one that ended the choice.
    """

    __slots__ = ("_index", "_scored", "_scores", "_shown", "_writer")

    def __init__(self, index: int, generation: Generation, writer: EventWriter) -> None:
        request = generation.request
        self._index = index
        self._writer = writer
        self._shown = ShownText(generation.stops, generation.limit)
        self._scores = Scores(request.top_logprobs) if request.logprobs else None
        self._scored: list[Score] = []

    @property
    def finish(self) -> Finish | None:
        """Why the choice ended; None as long as it goes on."""
        return self._shown.finish

    @property
    def tokens(self) -> int:
        """How many tokens the choice has so far."""
        return self._shown.tokens

    def take(self, token: Token, event: TokenEvent) -> bytes:
        """The events that one more token makes, if any."""
        shown = self._show(token, event)
        if not shown:
            return b""
        return self._writer.text(self._index, shown, None if self._scores is None else self._take_scored())

    def end(self) -> bytes:
        """The choice's last event."""
        return self._writer.end(self._index, self._shown.finish or "stop", self._scored or None)

    def _show(self, token: Token, event: TokenEvent) -> str:
        details = event.details
        shown = self._shown.take(token.text, token.special, None if details is None else details.finish)
        if self._scores is not None:
            self._scored += self._scores.taken(token, event.top_tokens, shown)
        return shown

    def _take_scored(self) -> list[Score]:
        scored, self._scored = self._scored, []
        return scored


class CallingChoiceStream(ChoiceStream):
    """A choice whose text may call tools."""

    __slots__ = ("_call_writer", "_parser")

    def __init__(self, index: int, generation: Generation, writer: CallWriter, parser: AnswerParser) -> None:
        super().__init__(index, generation, writer)
        self._call_writer = writer
        self._parser = parser

    def take(self, token: Token, event: TokenEvent) -> bytes:
        """The events that one more token makes, if any. The choice ends after the last call that the request allows."""
        deltas = self._parser.feed(self._show(token, event))
        if token.special:
            deltas += self._parser.mark(token.text)
        if self._parser.done:
            self._shown.stop()
        if self._shown.finish is not None:
            deltas += self._parser.finish()
        if self._scores is None:
            return b"".join([self._call_writer.delta(self._index, delta) for delta in deltas])
        return b"".join([self._call_writer.delta(self._index, delta, self._take_scored()) for delta in deltas])

    def end(self) -> bytes:
        """The choice's last event."""
        finish = self._shown.finish or "stop"
        return self._call_writer.end(self._index, finish, self._scored or None, calls=self._parser.calls > 0)


def follow_choice(index: int, generation: Generation, writer: EventWriter) -> ChoiceStream:
    """Return the object that follows choice `index`. Only a `CallWriter` gets requests whose text has a parser."""
    parser = generation.request.parser()
    if parser is None:
        return ChoiceStream(index, generation, writer)
    return CallingChoiceStream(index, generation, cast("CallWriter", writer), parser)
