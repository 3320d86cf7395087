"""A TGI that plays models that use a tool: they call it, and once they see its results they answer with them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.clients.weather import ANSWER, ARGUMENTS, DEGREES, QUESTION
from tests.gateway.scripted_tgi import Asked, Script, Write, answer, failure
from tests.support.requirements import require

TEMPLATES = Path(__file__).parents[1] / "gateway" / "templates"
GREETING = "Hello world"


def _model(template: str, **fields: Any) -> dict[str, Any]:
    return {"chat_template": (TEMPLATES / f"{template}.jinja").read_text(), **fields}


RECORDS: dict[str, dict[str, Any]] = {
    "qwen": _model("Qwen-Qwen2.5-7B-Instruct", eos_token="<|im_end|>", bos_token=None, tools="hermes"),
    "mistral": _model("mistralai-Mistral-7B-Instruct-v0.3", tools="mistral"),
    "deepseek": _model(
        "deepseek-ai-DeepSeek-V3", eos_token="<｜end▁of▁sentence｜>", bos_token="<｜begin▁of▁sentence｜>"
    ),
}
"""The model records. Qwen's template joins the content of turns, Mistral's demands ids of nine characters, and
DeepSeek's prints no tools and joins the arguments of calls as text."""
CALLS = {
    "qwen": "I will look.\n"
    + "\n".join(
        f'<tool_call>\n{{"name": "weather", "arguments": {each}}}\n</tool_call>' for each in map(json.dumps, ARGUMENTS)
    ),
    "mistral": "[TOOL_CALLS] ["
    + ", ".join(f'{{"name": "weather", "arguments": {each}}}' for each in map(json.dumps, ARGUMENTS))
    + "]",
    "deepseek": "; ".join(f'{{"name": "weather", "parameters": {each}}}' for each in map(json.dumps, ARGUMENTS)),
}
"""How each model calls the tool for both cities."""
FAILURES = {
    "too-long": failure(
        422, "Input validation error: `inputs` must have less than 4096 tokens. Given: 5000", "validation"
    ),
    "overloaded": failure(429, "Model is overloaded", "overloaded"),
    "failing": failure(424, "Request failed during generation: Server error: out of memory", "generation"),
}
"""What TGI says for each model that fails."""


def answers(structured: str = "") -> Script:
    """Answer by the prompt. `structured` is the answer where a grammar forces its form."""

    async def script(asked: Asked, write: Write) -> None:
        prompt = asked.json["inputs"]
        if asked.parameters.get("grammar"):
            text = structured
        elif all(result in prompt for result in DEGREES.values()):
            text = ANSWER
        elif "weather" in prompt.replace(QUESTION, ""):
            text = CALLS[_model_of(prompt)]
        else:
            text = GREETING
        if asked.path == "/" and asked.json.get("stream"):  # TGI's route for clients that know no other
            asked = replace(asked, path="/generate_stream")
        await answer(*_tokens(text), "</s>*")(asked, write)

    return script


def _model_of(prompt: str) -> str:
    return "qwen" if "<|im_start|>" in prompt else "mistral" if "[INST]" in prompt else "deepseek"


def _tokens(text: str) -> list[str]:
    """Return tokens of at most three characters. Mistral's marker is a control token."""
    return [
        f"{part}*" if part == "[TOOL_CALLS]" else part for part in re.findall(r"\[TOOL_CALLS\]|.{1,3}", text, re.DOTALL)
    ]


def fits(asked: Asked, text: str) -> bool:
    """Return whether TGI's compiler of grammars makes an expression of the request's that takes the whole text."""
    require("outlines-core")
    from outlines_core.fsm.json_schema import build_regex_from_schema

    schema = json.dumps(asked.parameters["grammar"]["value"])
    return re.fullmatch(build_regex_from_schema(schema), text) is not None
