"""How a dialect writes a stream: one method for each thing that happens, each of which gives whole events."""

from __future__ import annotations

from typing import Protocol

from gateway_lambda.errors import GatewayError
from gateway_lambda.generation.choice import Finish
from gateway_lambda.generation.deltas import Delta
from gateway_lambda.generation.scores import Score


class EventWriter(Protocol):
    """Writes the events of one response. The numbers of choices continue through all generations."""

    @property
    def done(self) -> bytes:
        """The end of a stream that did not fail."""
        ...

    def opening(self) -> bytes:
        """The events before the first token."""
        ...

    def text(self, index: int, text: str, scores: list[Score] | None = None) -> bytes:
        """A piece of a choice's text. `scores`: those of its tokens, if the client wants them."""
        ...

    def end(self, index: int, finish: Finish, scores: list[Score] | None = None, *, stop: str | None = None) -> bytes:
        """The end of a choice. `scores`: those after the last text. `stop`: the text of the stop that ended it."""
        ...

    def usage(self, prompt: int, completion: int) -> bytes:
        """The token counts of all choices, if the request has `include_usage`."""
        ...

    def error(self, error: GatewayError) -> bytes:
        """The end of a stream that fails after its opening."""
        ...


class CallWriter(EventWriter, Protocol):
    """Writes choices whose text has a parser: it may reason or call tools."""

    def delta(self, index: int, delta: Delta, scores: list[Score] | None = None) -> bytes:
        """A piece of a choice's reasoning, of its text, or of its calls."""
        ...

    def end(
        self,
        index: int,
        finish: Finish,
        scores: list[Score] | None = None,
        *,
        calls: bool = False,
        stop: str | None = None,
    ) -> bytes:
        """The end of a choice. `calls`: it called tools."""
        ...
