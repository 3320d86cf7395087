"""The conversation of the tests. The programs of the clients import this too, so it needs only the standard library."""

from __future__ import annotations

from typing import Any

MODELS = ("qwen", "mistral", "deepseek")
QUESTION = "What is the weather in Paris and in Rome?"
DEGREES = {"Paris": "21 degrees", "Rome": "25 degrees"}
"""What the tool `weather` returns."""
ANSWER = "It is 21 degrees in Paris and 25 degrees in Rome."
PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "kelvin"]}},
    "required": ["city", "unit"],
}
WEATHER = {"name": "weather", "description": "The weather in a city", "parameters": PARAMETERS}
TOOLS = [{"type": "function", "function": WEATHER}]
ARGUMENTS = tuple({"city": city, "unit": "celsius"} for city in DEGREES)
"""The arguments of the two calls."""
