"""Telling a model of its tools where its chat template does not: in the last message of the user, as TGI does."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from gateway_lambda.tools.request import ToolUse

_CALL = '{"name": function name, "parameters": object with the arguments}'
_FORMS = {
    "any": _CALL,
    "llama3": _CALL,
    "hermes": '<tool_call>{"name": function name, "arguments": object with the arguments}</tool_call>',
    "mistral": '[{"name": function name, "arguments": object with the arguments}]',
    "forced": '{"function": {"name": function name, "arguments": object with the arguments}}',
}
"""A call, as the gateway looks for it."""


def prints_tools(prompt: str, use: ToolUse) -> bool:
    """Return whether a prompt has the name of the first tool in it."""
    return not use.tools or use.tools[0]["function"]["name"] in prompt


def with_tools(messages: list[Any], use: ToolUse) -> list[Any]:
    """Return the messages with the tools in them. The given messages stay as they are."""
    users = [index for index, message in enumerate(messages) if message.get("role") == "user"]
    last = users[-1] if users else len(messages) - 1
    message = cast("dict[str, Any]", messages[last])
    content: object = message.get("content")
    if isinstance(content, list):
        content = [*cast("list[object]", content), {"type": "text", "text": _text(use)}]
    else:
        content = f"{content or ''}\n---\n{_text(use)}"
    return [*messages[:last], {**message, "content": content}, *messages[last + 1 :]]


def _text(use: ToolUse) -> str:
    tools = msgspec.json.encode([tool["function"] for tool in use.tools or ()]).decode()
    form = _FORMS[use.form or "any"]
    if use.answers:
        rule = (
            f'To call one, respond only with {form}. To answer, respond only with {{"function": {{"answer": answer}}}}.'
        )
    elif use.form == "forced":
        rule = f"Call the function that helps best. Respond only with {form}."
    else:
        rule = f"If a function helps to answer, call it: respond only with {form}. If not, answer without a call."
    return f"These functions are available: {tools}\n{rule}"
