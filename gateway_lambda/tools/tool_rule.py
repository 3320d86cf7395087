"""The text that tells a model of its tools where its chat template does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

_CALL = '{"name": function name, "parameters": object with the arguments}'
_CALLS = {
    "any": _CALL,
    "llama3": _CALL,
    "hermes": '<tool_call>{"name": function name, "arguments": object with the arguments}</tool_call>',
    "mistral": '[{"name": function name, "arguments": object with the arguments}]',
    "forced": '{"function": {"name": function name, "arguments": object with the arguments}}',
}
"""A call in each syntax."""


def tool_rule(tools: Sequence[dict[str, Any]], syntax: str, *, answers: bool) -> str:
    """Return the text. `answers`: the model can answer in the response format instead of a call."""
    listed = msgspec.json.encode([tool["function"] for tool in tools]).decode()
    call = _CALLS[syntax]
    if answers:
        rule = (
            f'To call one, respond only with {call}. To answer, respond only with {{"function": {{"answer": answer}}}}.'
        )
    elif syntax == "forced":
        rule = f"Call the function that helps best. Respond only with {call}."
    else:
        rule = f"If a function helps to answer, call it: respond only with {call}. If not, answer without a call."
    return f"These functions are available: {listed}\n{rule}"
