"""The prompts that models must get in the two turns of a conversation with the tool `weather`."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Mapping
from typing import Any

from tests.clients.weather import QUESTION
from tests.gateway.scripted_tgi import Asked

_QWEN = """<|im_start|>system
You are Qwen, created by Alibaba Cloud. You are a helpful assistant.

# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
…
</tools>

For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call><|im_end|>
"""
FIRST = {
    "qwen": f"{_QWEN}<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n",
    "mistral": f"[AVAILABLE_TOOLS] …[/AVAILABLE_TOOLS][INST] {QUESTION}[/INST]",
    "deepseek": f"<｜User｜>{QUESTION}\n---\nThese functions are available: …\nIf a function helps to answer, call it: "
    'respond only with {"name": function name, "parameters": object with the arguments}. If not, answer without a '
    "call.<｜Assistant｜><think>\n",
}
"""For each model of the replica, the prompt of the first turn. `…` stands for the tools."""
SECOND = {
    "qwen": FIRST["qwen"]
    + """I will look.

<tool_call>
{"name": "weather", "arguments": {"city": "Paris", "unit": "celsius"}}
</tool_call>
<tool_call>
{"name": "weather", "arguments": {"city": "Rome", "unit": "celsius"}}
</tool_call><|im_end|>
<|im_start|>user
<tool_response>
21 degrees
</tool_response>
<tool_response>
25 degrees
</tool_response><|im_end|>
<|im_start|>assistant
""",
    "mistral": FIRST["mistral"]
    + '[TOOL_CALLS] [{"name": "weather", "arguments": {"city": "Paris", "unit": "celsius"}, "id": "A"}, '
    '{"name": "weather", "arguments": {"city": "Rome", "unit": "celsius"}, "id": "B"}]</s>'
    '[TOOL_RESULTS] {"content": 21 degrees, "call_id": "A"}[/TOOL_RESULTS]'
    '[TOOL_RESULTS] {"content": 25 degrees, "call_id": "B"}[/TOOL_RESULTS]',
    "deepseek": FIRST["deepseek"].removesuffix("<think>\n")
    + """<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather
```json
{"city": "Paris", "unit": "celsius"}
```<｜tool▁call▁end｜>
<｜tool▁call▁begin｜>function<｜tool▁sep｜>weather
```json
{"city": "Rome", "unit": "celsius"}
```<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜end▁of▁sentence｜>"""
    "<｜tool▁outputs▁begin｜><｜tool▁output▁begin｜>21 degrees<｜tool▁output▁end｜>"
    "<｜tool▁output▁begin｜>25 degrees<｜tool▁output▁end｜><｜tool▁outputs▁end｜>",
}
"""The prompt of the second turn, with the calls and their results. `A` and `B` stand for the ids of the calls."""
BOTH_TURNS = [prompt for model in FIRST for prompt in (FIRST[model], SECOND[model])]
"""All prompts of a program that asks the models one after the other."""
BOTH_TURNS_REWRITTEN = [
    re.sub(r"(?<=json\n){.*?}", lambda found: found[0].replace(": ", ":").replace(", ", ","), prompt)
    for prompt in BOTH_TURNS
]
"""The same from clients that write the arguments again, without spaces. DeepSeek's template takes that text."""

_TOOLS = re.compile(
    r"(?<=<tools>\n).+?(?=\n</tools>)|(?<=\[AVAILABLE_TOOLS\] ).+?(?=\[/)|(?<=are available: ).+?(?=\n)"
)
_SHORT_ID = re.compile(r'(?<=id": ")[a-zA-Z0-9]{9}(?=")')
_ID = re.compile(r"(?:call|toolu)_[a-zA-Z0-9_-]{24}")


def prompt_of(asked: Asked) -> str:
    """Return the prompt of a request, `…` for the tools, and letters for ids of nine characters."""
    return _lettered(_SHORT_ID, _TOOLS.sub("…", asked.json["inputs"]))


def tools_of(asked: Asked) -> list[dict[str, Any]]:
    """Return the functions that the prompt of a request describes."""
    [text] = _TOOLS.findall(asked.json["inputs"])
    tools = json.loads(text if text.startswith("[") else f"[{text}]")
    return [tool.get("function", tool) for tool in tools]


def with_letters(conversations: Mapping[str, Any]) -> dict[str, Any]:
    """Return the conversations of a program, with letters for the ids of their calls, in the order of first use."""
    return {model: json.loads(_lettered(_ID, json.dumps(each))) for model, each in conversations.items()}


def _lettered(pattern: re.Pattern[str], text: str) -> str:
    letters = dict(zip(dict.fromkeys(pattern.findall(text)), string.ascii_uppercase, strict=False))
    return pattern.sub(lambda found: letters[found[0]], text)
