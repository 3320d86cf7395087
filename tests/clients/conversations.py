"""What clients must have at the end: the messages in OpenAI's form, and the classes of errors."""

from __future__ import annotations

import json
from typing import Any

from tests.clients.weather import ANSWER, ARGUMENTS, DEGREES, MODELS, QUESTION


def _conversation(model: str) -> list[dict[str, Any]]:
    calls = [
        {"id": letter, "type": "function", "function": {"name": "weather", "arguments": json.dumps(arguments)}}
        for letter, arguments in zip("AB", ARGUMENTS, strict=True)
    ]
    results = [
        {"role": "tool", "tool_call_id": letter, "content": degrees}
        for letter, degrees in zip("AB", DEGREES.values(), strict=True)
    ]
    return [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": "I will look.\n" if model == "qwen" else None, "tool_calls": calls},
        *results,
        {"role": "assistant", "content": ANSWER},
    ]


CONVERSATIONS = {model: _conversation(model) for model in MODELS}
"""The messages of each model. `A` and `B` stand for the ids of the calls."""
ERRORS = {
    "unknown": ["NotFoundError", 404, "model_not_found"],
    "closed": ["AuthenticationError", 401, "invalid_api_key"],
    "too-long": ["BadRequestError", 400, "context_length_exceeded"],
    "overloaded": ["RateLimitError", 429, "model_overloaded"],
    "failing": ["InternalServerError", 500, "generation_failed"],
    "gone": ["InternalServerError", 502, "upstream_unreachable"],
}
"""For each model that fails: the class in OpenAI's clients, the status, and the code."""
