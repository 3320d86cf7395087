"""A whole answer with its calls, from the deltas of a parser."""

from __future__ import annotations

from collections.abc import Iterable

from gateway_lambda.generation.choice import TextAndCalls, ToolCall
from gateway_lambda.generation.deltas import CallArguments, CallStart, Content, Delta, Reasoning
from gateway_lambda.tools.json_call import normal_arguments


def gather_reasoning(deltas: Iterable[Delta]) -> str | None:
    """Return the reasoning in all deltas of one choice; None without any."""
    return "".join(delta.text for delta in deltas if isinstance(delta, Reasoning)) or None


def gather(deltas: Iterable[Delta]) -> TextAndCalls:
    """Return the answer that all deltas of one choice make, without its reasoning."""
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
            case Reasoning():
                pass
    return TextAndCalls(
        "".join(content) if content or not calls else None,
        tuple(ToolCall(start.id, start.name, normal_arguments("".join(parts))) for start, parts in calls),
    )
