"""What the tests ask of the Hub's client."""

import json
import os

from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError, OverloadedError, ValidationError

from tests.clients.weather import DEGREES, MODELS, QUESTION, TOOLS

GATEWAY = os.environ["GATEWAY"]
HI = [{"role": "user", "content": "Hi"}]

client = InferenceClient(base_url=f"{GATEWAY}/v1", api_key=os.environ["KEY"], timeout=20)


def chat():
    whole = client.chat_completion(HI, model="qwen")
    parts = list(client.chat.completions.create(HI, model="qwen", stream=True))
    streamed = "".join(part.choices[0].delta.content or "" for part in parts)
    return [whole.choices[0].message.content, streamed, parts[-1].choices[0].finish_reason]


def tool_loop():
    """The messages at the end, for each model."""
    return {model: _loop(model) for model in MODELS}


def _loop(model):
    messages = [{"role": "user", "content": QUESTION}]
    while True:
        message = client.chat_completion(messages, model=model, tools=TOOLS).choices[0].message
        if not message.tool_calls:
            return [*messages, {"role": message.role, "content": message.content}]
        calls = [
            {
                "id": call.id,
                "type": call.type,
                "function": {"name": call.function.name, "arguments": call.function.arguments},
            }
            for call in message.tool_calls
        ]
        messages.append({"role": message.role, "content": message.content, "tool_calls": calls})
        for call in message.tool_calls:
            city = json.loads(call.function.arguments)["city"]
            messages.append({"role": "tool", "tool_call_id": call.id, "content": DEGREES[city]})


def structured():
    """TGI's own way to write the format of an answer, and OpenAI's."""
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "mayor": {"type": ["string", "null"]}},
        "required": ["name", "mayor"],
    }
    formats = [
        {"type": "json", "value": schema},
        {"type": "json_schema", "json_schema": {"name": "place", "schema": schema}},
    ]
    return [
        client.chat_completion(HI, model="qwen", response_format=each).choices[0].message.content for each in formats
    ]


def generate():
    """TGI's own interface, at the address of a run."""
    run = InferenceClient(model=f"{GATEWAY}/services/qwen", timeout=20)
    whole = run.text_generation("Once", details=True)
    return {
        "text": run.text_generation("Once"),
        "tokens": [token.text for token in whole.details.tokens],
        "finish_reason": whole.details.finish_reason,
        "stream": list(run.text_generation("Once", stream=True)),
    }


def errors():
    """For each model that fails, and for a wrong key: the class of the error, and its status."""
    return {model: _error(model) for model in ("unknown", "closed", "too-long", "overloaded", "failing", "gone")}


def _error(model):
    try:
        asking = InferenceClient(base_url=f"{GATEWAY}/v1", api_key="sk-wrong") if model == "closed" else client
        asking.chat_completion(HI, model=model)
    except HfHubHTTPError as error:
        return [type(error).__name__, error.response.status_code]


def errors_of_a_run():
    """TGI's own errors, at the addresses of the runs."""
    found = {}
    for run in ("too-long", "overloaded"):
        try:
            InferenceClient(model=f"{GATEWAY}/services/{run}").text_generation("Once")
        except (OverloadedError, ValidationError) as error:
            found[run] = [type(error).__name__, str(error)]
    return found
