"""What the tests ask of LiteLLM."""

import json
import os

import litellm

from tests.clients.weather import DEGREES, MODELS, QUESTION, TOOLS

GATEWAY = os.environ["GATEWAY"]
litellm.suppress_debug_info = True


def _ask(model, messages, **fields):
    where = {
        "api_base": f"{GATEWAY}/v1",
        "api_key": "sk-wrong" if model == "closed" else os.environ["KEY"],
        "max_retries": 0,
        "timeout": 20,
    }
    return litellm.completion(model=f"openai/{model}", messages=messages, **where, **fields)


def tool_loop():
    """The messages at the end, for each model."""
    return {model: _loop(model) for model in MODELS}


def _loop(model):
    messages = [{"role": "user", "content": QUESTION}]
    while True:
        message = _ask(model, messages, tools=TOOLS).choices[0].message
        messages.append(message.model_dump(include={"role", "content", "tool_calls"}, exclude_none=True))
        if not message.tool_calls:
            return messages
        for call in message.tool_calls:
            city = json.loads(call.function.arguments)["city"]
            messages.append({"role": "tool", "tool_call_id": call.id, "content": DEGREES[city]})


def errors():
    """For each model that fails, and for a wrong key: the class of the error, and its status."""
    return {model: _error(model) for model in ("unknown", "closed", "too-long", "overloaded", "failing", "gone")}


def _error(model):
    try:
        _ask(model, [{"role": "user", "content": "Hi"}])
    except Exception as error:
        return [type(error).__name__, error.status_code]
