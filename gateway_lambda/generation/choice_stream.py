"""One choice of a stream: events of the upstream in, chunks for the client out."""

from __future__ import annotations

from typing import Protocol

from gateway_lambda.generation.scores import Score, Scores
from gateway_lambda.generation.shown_text import Answer, Finish
from gateway_lambda.openai.chunks import ChatChunks
from gateway_lambda.tgi.generation import Generation
from gateway_lambda.tgi.replies import Event, Token
from gateway_lambda.tools.call_parser import CallParser


class Chunks(Protocol):
    """How the parts of a stream are written. The numbers of choices continue through all generations."""

    def opening(self) -> bytes: ...
    def text(self, index: int, text: str, scores: list[Score] | None = None) -> bytes: ...
    def end(self, index: int, finish: Finish, scores: list[Score] | None = None) -> bytes: ...
    def usage(self, prompt: int, completion: int) -> bytes: ...


class ChoiceStream:
    """One choice of a stream, from its first token to its end.

    `finish` says why it ended, once it has. `tokens` counts the tokens, including the one that ended the choice.
    """

    __slots__ = ("_answer", "_chunks", "_index", "_scored", "_scores")

    def __init__(self, index: int, generation: Generation, chunks: Chunks) -> None:
        request = generation.request
        self._index = index
        self._chunks = chunks
        self._answer = Answer(generation.stops, generation.limit)
        self._scores = Scores(request.top_logprobs) if request.logprobs else None
        self._scored: list[Score] = []

    @property
    def finish(self) -> Finish | None:
        """Why the choice ended; None as long as it goes on."""
        return self._answer.finish

    @property
    def tokens(self) -> int:
        """How many tokens the choice has so far."""
        return self._answer.tokens

    def take(self, token: Token, event: Event) -> bytes:
        """The chunks that one more token makes, if any."""
        shown = self._show(token, event)
        return self._chunks.text(self._index, shown, self._take_scored()) if shown else b""

    def end(self) -> bytes:
        """The choice's last chunk."""
        return self._chunks.end(self._index, self._answer.finish or "stop", self._scored or None)

    def _show(self, token: Token, event: Event) -> str:
        details = event.details
        shown = self._answer.take(token.text, token.special, None if details is None else details.finish_reason)
        if self._scores is not None:
            self._scored += self._scores.taken(token, event.top_tokens, shown)
        return shown

    def _take_scored(self) -> list[Score] | None:
        if self._scores is None:
            return None
        scored, self._scored = self._scored, []
        return scored


class CallingChoiceStream(ChoiceStream):
    """A choice whose text may call tools."""

    __slots__ = ("_chat", "_parser")

    def __init__(self, index: int, generation: Generation, chunks: ChatChunks, parser: CallParser) -> None:
        super().__init__(index, generation, chunks)
        self._chat = chunks
        self._parser = parser

    def take(self, token: Token, event: Event) -> bytes:
        """The chunks that one more token makes, if any. The choice ends when no further call is wanted."""
        deltas = self._parser.feed(self._show(token, event))
        if token.special:
            deltas += self._parser.mark(token.text)
        if self._parser.done:
            self._answer.stop()
        if self._answer.finish is not None:
            deltas += self._parser.finish()
        return b"".join([self._chat.delta(self._index, delta, self._take_scored()) for delta in deltas])

    def end(self) -> bytes:
        """The choice's last chunk."""
        finish = self._answer.finish or "stop"
        return self._chat.end(self._index, finish, self._scored or None, calls=self._parser.calls > 0)


def follow_choice(index: int, generation: Generation, chunks: Chunks) -> ChoiceStream:
    """Return the object that follows choice `index`."""
    parser = generation.request.parser()
    if parser is not None and isinstance(chunks, ChatChunks):
        return CallingChoiceStream(index, generation, chunks, parser)
    return ChoiceStream(index, generation, chunks)
