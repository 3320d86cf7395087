"""A whole answer with its calls, from the deltas of a parser."""

from __future__ import annotations

from collections.abc import Iterable

from gateway_lambda.generation.choice import TextAndCalls, ToolCall
from gateway_lambda.generation.deltas import CallArguments, CallStart, Content, Delta
from gateway_lambda.tools.call_syntax import normal_arguments


def gather(deltas: Iterable[Delta]) -> TextAndCalls:
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
    return TextAndCalls(
        "".join(content) if content or not calls else None,
        tuple(ToolCall(start.id, start.name, normal_arguments("".join(parts))) for start, parts in calls),
    )
