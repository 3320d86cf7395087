"""System messages behind the first one, for templates that refuse them there or leave them out.

Agents write such messages: Claude Code behind the turns of the user, Codex and others between turns. The model gets
their text in a turn of the user at their place. At the beginning, it would change the prompt before all earlier turns.
"""

from __future__ import annotations

from typing import Any, Final

from gateway_lambda.templates.json_value import JsonObject
from gateway_lambda.templates.shape import Shape

_INSTRUCT: Final = ("system", "developer")
_BETWEEN: Final = "\n\n"


def in_turns_of_users(messages: list[JsonObject], shape: Shape) -> list[JsonObject]:
    """Return the messages, which have the form that `shape` says, with instructions only at the beginning.

    Those at the beginning become one message. A later one becomes a part of a neighbouring turn of the user, or a turn
    of its own. The given messages stay as they are.
    """
    if all(message["role"] not in _INSTRUCT for message in messages[1:]):
        return messages
    placed: list[JsonObject] = []
    moved = False
    for message in messages:
        joins = False
        last = placed[-1]["role"] if placed else None
        if message["role"] not in _INSTRUCT:
            joins, moved = moved and message["role"] == last == "user", False
        elif last in _INSTRUCT:
            joins = True
        elif last is not None:
            message = {"role": "user", "content": _as_user(message["content"], shape)}
            joins, moved = last == "user", True
        if joins:
            placed[-1] = {**placed[-1], "content": _joined(placed[-1]["content"], message["content"])}
        else:
            placed.append(message)
    return placed


def _as_user(content: Any, shape: Shape) -> Any:
    text = content if isinstance(content, str) else "\n".join(part["text"] for part in content)
    return [{"type": "text", "text": text}] if "user" in shape.wraps else text


def _joined(first: Any, second: Any) -> Any:
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}{_BETWEEN}{second}" if first and second else first or second
    return [*_parts(first), {"type": "text", "text": _BETWEEN}, *_parts(second)]


def _parts(content: Any) -> list[Any]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content
