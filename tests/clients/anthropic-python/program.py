"""What the tests ask of Anthropic's client for Python."""

import os

import anthropic

from tests.clients.weather import DEGREES, MODELS, PARAMETERS, QUESTION, WEATHER

HI = [{"role": "user", "content": "Hi"}]
TOOLS = [{"name": "weather", "description": WEATHER["description"], "input_schema": PARAMETERS}]

client = anthropic.Anthropic(base_url=os.environ["GATEWAY"], api_key=os.environ["KEY"], max_retries=0, timeout=20)


def message():
    answer = client.messages.create(model="qwen", max_tokens=50, system="Be kind.", messages=HI)
    usage = answer.usage
    return [answer.content[0].text, answer.stop_reason, usage.input_tokens, usage.output_tokens]


def stream():
    with client.messages.stream(model="qwen", max_tokens=50, messages=HI) as events:
        text = list(events.text_stream)
        whole = events.get_final_message()
    return [text, whole.stop_reason, whole.usage.input_tokens, whole.usage.output_tokens]


def ends():
    """For whole and streamed answers: the text, why it ended, and the stop sequence."""
    found = []
    for limits in ({"max_tokens": 2}, {"max_tokens": 50, "stop_sequences": ["wor", "x"]}):
        answer = client.messages.create(model="qwen", messages=HI, **limits)
        with client.messages.stream(model="qwen", messages=HI, **limits) as events:
            streamed = events.get_final_message()
        found += [[each.content[0].text, each.stop_reason, each.stop_sequence] for each in (answer, streamed)]
    return found


def counted():
    return client.messages.count_tokens(model="qwen", messages=HI, tools=TOOLS).input_tokens


def tool_loop():
    """The messages of each model, with the last one."""
    return {model: _loop(model, _whole_turn) for model in MODELS}


def streamed_tool_loop():
    return {model: _loop(model, _streamed_turn) for model in MODELS}


def _loop(model, turn):
    messages = [{"role": "user", "content": QUESTION}]
    while (answer := turn(model, messages)).stop_reason == "tool_use":
        messages.append({"role": "assistant", "content": [_block(block) for block in answer.content]})
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": DEGREES[block.input["city"]]}
            for block in answer.content
            if block.type == "tool_use"
        ]
        messages.append({"role": "user", "content": results})
    return [*messages, {"role": "assistant", "content": [_block(block) for block in answer.content]}]


def _block(block):
    kept = ("type", "text", "id", "name", "input")
    return {name: value for name, value in block.to_dict().items() if name in kept}


def _whole_turn(model, messages):
    return client.messages.create(model=model, max_tokens=500, messages=messages, tools=TOOLS)


def _streamed_turn(model, messages):
    with client.messages.stream(model=model, max_tokens=500, messages=messages, tools=TOOLS) as events:
        return events.get_final_message()


def forced():
    choice = {"type": "any", "disable_parallel_tool_use": True}
    answer = client.messages.create(
        model="qwen", max_tokens=500, messages=[{"role": "user", "content": QUESTION}], tools=TOOLS, tool_choice=choice
    )
    return [[block.name, block.input] for block in answer.content] + [answer.stop_reason]


def errors():
    """For each model that fails, and for a wrong key: the class of the error, its status, and its type."""
    return {model: _error(model) for model in ("unknown", "closed", "too-long", "overloaded", "failing", "gone")}


def _error(model):
    try:
        asking = client.with_options(api_key="sk-wrong") if model == "closed" else client
        asking.messages.create(model=model, max_tokens=50, messages=HI)
    except anthropic.APIStatusError as error:
        same_id = error.request_id == error.body["request_id"]
        return [type(error).__name__, error.status_code, error.body["error"]["type"] if same_id else error.body]
