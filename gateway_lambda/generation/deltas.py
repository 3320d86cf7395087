"""The parts of a model's text, in order: reasoning, content, the start of a call, pieces of its arguments."""

from __future__ import annotations

import msgspec


class Content(msgspec.Struct, frozen=True):
    """Text of the answer that is part of no call."""

    text: str


class Reasoning(msgspec.Struct, frozen=True):
    """Text in which the model reasons before it answers, without the marks around it. No call is read in it."""

    text: str


class CallStart(msgspec.Struct, frozen=True):
    """A call of an offered function begins. `index` counts the calls of one choice from 0."""

    index: int
    id: str
    name: str


class CallArguments(msgspec.Struct, frozen=True):
    """More of the JSON text of the arguments of call `index`. All pieces together are the whole text."""

    index: int
    text: str


Delta = Reasoning | Content | CallStart | CallArguments
