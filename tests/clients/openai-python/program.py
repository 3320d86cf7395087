"""What the tests ask of OpenAI's client for Python."""

import json
import os

import openai

from tests.clients.weather import DEGREES, MODELS, QUESTION, TOOLS

GATEWAY = os.environ["GATEWAY"]
HI = [{"role": "user", "content": "Hi"}]

client = openai.OpenAI(base_url=f"{GATEWAY}/v1", api_key=os.environ["KEY"], max_retries=0, timeout=20)


def chat():
    answer = client.chat.completions.create(model="qwen", messages=HI)
    usage = answer.usage
    return [answer.choices[0].message.content, answer.choices[0].finish_reason, usage.prompt_tokens, usage.total_tokens]


async def chat_asynchronously():
    async with openai.AsyncOpenAI(base_url=f"{GATEWAY}/v1", api_key=os.environ["KEY"], max_retries=0) as asynchronous:
        parts = await asynchronous.chat.completions.create(model="qwen", messages=HI, stream=True)
        return [part.choices[0].delta.content async for part in parts if part.choices[0].delta.content]


def stream():
    parts = list(client.chat.completions.create(model="qwen", messages=HI, stream=True))
    return ["".join(part.choices[0].delta.content or "" for part in parts), parts[-1].choices[0].finish_reason]


def completion():
    return client.completions.create(model="qwen", prompt="Once").choices[0].text


def models():
    return [client.models.list().data[0].id, client.models.retrieve("qwen").id]


def tool_loop():
    """The text of the last turn, and the messages, for each model."""
    return {model: _loop(model, _whole_turn) for model in MODELS}


def streamed_tool_loop():
    return {model: _loop(model, _streamed_turn) for model in MODELS}


def _loop(model, turn):
    messages = [{"role": "user", "content": QUESTION}]
    while (message := turn(model, messages)).get("tool_calls"):
        messages.append(message)
        for call in message["tool_calls"]:
            city = json.loads(call["function"]["arguments"])["city"]
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": DEGREES[city]})
    return [*messages, message]


def _whole_turn(model, messages):
    answer = client.chat.completions.create(model=model, messages=messages, tools=TOOLS)
    return answer.choices[0].message.model_dump(exclude_unset=True, exclude={"refusal"})


def _streamed_turn(model, messages):
    """The deltas of the calls are joined by their index, as programs do it."""
    content, calls = "", {}
    for part in client.chat.completions.create(model=model, messages=messages, tools=TOOLS, stream=True):
        delta = part.choices[0].delta
        content += delta.content or ""
        for piece in delta.tool_calls or []:
            call = calls.setdefault(
                piece.index, {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
            )
            call["id"] += piece.id or ""
            call["function"]["name"] += piece.function.name or ""
            call["function"]["arguments"] += piece.function.arguments or ""
    message = {"role": "assistant", "content": content or None}
    return {**message, "tool_calls": list(calls.values())} if calls else message


def parse():
    """A pydantic model as the format of the answer, and one as a tool."""
    from typing import Literal

    from pydantic import BaseModel

    class Place(BaseModel):
        name: str
        kind: Literal["city", "village"]
        mayor: str | None

    answer = client.chat.completions.parse(model="qwen", messages=HI, response_format=Place)
    with client.chat.completions.stream(model="qwen", messages=HI, response_format=Place) as events:
        streamed = events.get_final_completion()
    return [answer.choices[0].message.parsed.model_dump(), streamed.choices[0].message.parsed.model_dump()]


def parse_tools():
    from pydantic import BaseModel

    class weather(BaseModel):
        city: str
        unit: str

    tools = [openai.pydantic_function_tool(weather)]
    answer = client.chat.completions.parse(model="qwen", messages=[{"role": "user", "content": QUESTION}], tools=tools)
    return [call.function.parsed_arguments.model_dump() for call in answer.choices[0].message.tool_calls]


def response():
    answer = client.responses.create(model="qwen", input="Hi", instructions="Be kind.", metadata={"a": "b"})
    return [answer.output_text, answer.status, answer.usage.input_tokens, answer.usage.total_tokens, answer.metadata]


def response_stream():
    """The types of the events, and the text."""
    events = list(client.responses.create(model="qwen", input="Hi", stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    return [[event.type for event in events], events[-1].response.output_text]


def response_parse():
    from typing import Literal

    from pydantic import BaseModel

    class Place(BaseModel):
        name: str
        kind: Literal["city", "village"]
        mayor: str | None

    answer = client.responses.parse(model="qwen", input="Paris?", text_format=Place)
    with client.responses.stream(model="qwen", input="Paris?", text_format=Place) as events:
        streamed = events.get_final_response()
    return [answer.output_parsed.model_dump(), streamed.output_parsed.model_dump()]


def response_tool_loop():
    """The items of all turns, for each model."""
    return {model: _response_loop(model, lambda **asked: client.responses.create(**asked)) for model in MODELS}


def streamed_response_tool_loop():
    def turn(**asked):
        with client.responses.stream(**asked) as events:
            return events.get_final_response()

    return {model: _response_loop(model, turn) for model in MODELS}


def _response_loop(model, turn):
    tools = [{"type": "function", **TOOLS[0]["function"], "strict": False}]
    items = [{"role": "user", "content": QUESTION}]
    while calls := _calls(answer := turn(model=model, input=items, tools=tools)):
        items += [item.to_dict() for item in answer.output]
        for call in calls:
            output = DEGREES[json.loads(call.arguments)["city"]]
            items.append({"type": "function_call_output", "call_id": call.call_id, "output": output})
    return [_item(item) for item in items] + [answer.output_text]


def _calls(answer):
    return [item for item in answer.output if item.type == "function_call"]


def _item(item):
    match item.get("type"):
        case "function_call":
            return [item["call_id"], item["name"], json.loads(item["arguments"])]
        case "function_call_output":
            return [item["call_id"], item["output"]]
        case _:
            content = item["content"]
            return content if isinstance(content, str) else content[0]["text"]


def response_errors():
    return {
        model: _response_error(model) for model in ("unknown", "closed", "too-long", "overloaded", "failing", "gone")
    }


def _response_error(model):
    try:
        asking = client.with_options(api_key="sk-wrong") if model == "closed" else client
        asking.responses.create(model=model, input="Hi")
    except openai.APIStatusError as error:
        return [type(error).__name__, error.status_code, error.code]


def errors():
    """For each model that fails, and for a wrong key: the class of the error, its status, and its code."""
    return {model: _error(model) for model in ("unknown", "closed", "too-long", "overloaded", "failing", "gone")}


def _error(model):
    try:
        asking = client.with_options(api_key="sk-wrong") if model == "closed" else client
        asking.chat.completions.create(model=model, messages=HI)
    except openai.APIStatusError as error:
        return [type(error).__name__, error.status_code, error.code]
