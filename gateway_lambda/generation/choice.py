"""A whole answer: one of the choices of a request."""

from __future__ import annotations

from typing import Literal

import msgspec

from gateway_lambda.generation.scores import Score

Finish = Literal["stop", "length"]
"""Why a choice ended. A dialect says it in its own words, also that it called tools."""


class ToolCall(msgspec.Struct, frozen=True):
    """A call in a message. `arguments` is the JSON text of an object, unless the model wrote something else."""

    id: str
    name: str
    arguments: str


class TextAndCalls(msgspec.Struct, frozen=True):
    """The text and the calls of a choice. With only calls, there is no `content`."""

    content: str | None
    calls: tuple[ToolCall, ...] = ()


class Choice(msgspec.Struct):
    """One answer of a request. `tokens` counts up to and including the token that ended it."""

    text: str
    finish: Finish
    tokens: int
    scores: list[Score] | None = None
    """The scores of the shown tokens, if the client wants them."""
    called: TextAndCalls | None = None
    """The text and the calls, if it calls tools."""
    stop: str | None = None
    """The text of the stop that ended it, of the client or of the model."""
    reasoning: str | None = None
    """The text in which the model reasoned before it answered. It is not part of `text` or `called`."""
