"""A whole answer with its calls, from the deltas of a parser."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from gateway_lambda.generation.deltas import CallArguments, CallStart, Content, Delta
from gateway_lambda.tools.call_syntax import normal_arguments


class ToolCall(msgspec.Struct, frozen=True):
    """A call in a message. `arguments` is the JSON text of an object, unless the model wrote something else."""

    id: str
    name: str
    arguments: str

    def plain(self) -> dict[str, Any]:
        """Return the entry of `tool_calls`."""
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.arguments}}


class Answer(msgspec.Struct, frozen=True):
    """The text and the calls of a choice. With only calls, there is no `content`."""

    content: str | None
    calls: tuple[ToolCall, ...] = ()

    def message(self) -> dict[str, Any]:
        """Return the assistant message, with `tool_calls` only if there are calls."""
        message: dict[str, Any] = {"role": "assistant", "content": self.content, "refusal": None}
        if self.calls:
            message["tool_calls"] = [call.plain() for call in self.calls]
        return message


def gather(deltas: Iterable[Delta]) -> Answer:
    """Return the answer that all deltas of one choice make."""
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
