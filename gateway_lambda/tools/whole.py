"""A whole answer with its calls, out of what a parser made of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from gateway_lambda.tools.deltas import CallArguments, CallStart, Content, Delta
from gateway_lambda.tools.forms import normal_arguments


class ToolCall(msgspec.Struct, frozen=True):
    """A call as a message has it. `arguments` is JSON text; an object, unless the model wrote something else."""

    id: str
    name: str
    arguments: str

    def plain(self) -> dict[str, Any]:
        """An entry of `tool_calls`."""
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.arguments}}


class Answer(msgspec.Struct, frozen=True):
    """`content` is None when there are only calls."""

    content: str | None
    calls: tuple[ToolCall, ...] = ()

    def message(self) -> dict[str, Any]:
        """An assistant message; without `tool_calls` when there are none."""
        message: dict[str, Any] = {"role": "assistant", "content": self.content, "refusal": None}
        if self.calls:
            message["tool_calls"] = [call.plain() for call in self.calls]
        return message


def gather(deltas: Iterable[Delta]) -> Answer:
    """All the deltas of one choice as an answer."""
    content: list[str] = []
    calls: list[tuple[CallStart, list[str]]] = []
    for delta in deltas:
        match delta:
            case Content(text):
                content.append(text)
            case CallStart():
                calls.append((delta, []))
            case CallArguments(index, text):
                calls[index][1].append(text)
    return Answer(
        "".join(content) if content or not calls else None,
        tuple(ToolCall(start.id, start.name, normal_arguments("".join(parts))) for start, parts in calls),
    )
