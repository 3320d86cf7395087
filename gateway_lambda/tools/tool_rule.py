"""The text that tells a model of its tools where its chat template does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

_CALL = '{"name": function name, "parameters": object with the arguments}'
_OBJECT = '{"name": function name, "arguments": object with the arguments}'
_TAGS = "<function=function name>\n<parameter=argument name>\nvalue\n</parameter>\n</function>"
_CALLS = {
    "any": _CALL,
    "llama3": _CALL,
    "deepseek": (
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function name<｜tool▁sep｜>object with the arguments"
        "<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
    ),
    "dsml": (
        '<｜DSML｜function_calls><｜DSML｜invoke name="function name"><｜DSML｜parameter name="argument name" '
        'string="true or false">value</｜DSML｜parameter></｜DSML｜invoke></｜DSML｜function_calls>'
    ),
    "function": "<function=function name>object with the arguments</function>",
    "functools": f"functools[{_OBJECT}]",
    "glm": (
        "<tool_call>function name\n<arg_key>argument name</arg_key>\n<arg_value>value</arg_value>\n</tool_call>, "
        "with a key and a value for each argument"
    ),
    "granite": f"<|tool_call|>[{_OBJECT}]",
    "hermes": '<tool_call>{"name": function name, "arguments": object with the arguments}</tool_call>',
    "kimi": (
        "<|tool_calls_section_begin|><|tool_call_begin|>functions.function name:0<|tool_call_argument_begin|>object "
        "with the arguments<|tool_call_end|><|tool_calls_section_end|>"
    ),
    "lfm2": "<|tool_call_start|>[function_name(argument_name=value)]<|tool_call_end|>",
    "minimax": (
        '<minimax:tool_call><invoke name="function name"><parameter name="argument name">value</parameter></invoke>'
        "</minimax:tool_call>"
    ),
    "mistral": '[{"name": function name, "arguments": object with the arguments}]',
    "nemotron": f"<TOOLCALL>[{_OBJECT}]</TOOLCALL>",
    "pythonic": "[function_name(argument_name=value)]",
    "qwen_coder": f"<tool_call>\n{_TAGS}\n</tool_call>",
    "seed": f"<seed:tool_call>\n{_TAGS}\n</seed:tool_call>",
    "xlam": f"[{_OBJECT}]",
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
