"""What the tests ask of pydantic-ai."""

import os
from typing import Literal

from pydantic import AnyUrl, BaseModel
from pydantic_ai import Agent, ModelHTTPError, NativeOutput
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

from tests.clients.weather import DEGREES, MODELS, QUESTION

GATEWAY = os.environ["GATEWAY"]


class Place(BaseModel):
    name: str
    mayor: str | None
    population: int | str
    site: AnyUrl


def model(name):
    return OpenAIChatModel(name, provider=OpenAIProvider(base_url=f"{GATEWAY}/v1", api_key=os.environ["KEY"]))


def weather(city: str, unit: Literal["celsius", "kelvin"]) -> str:
    """The weather in a city"""
    return DEGREES[city]


def responses_model(name):
    return OpenAIResponsesModel(name, provider=OpenAIProvider(base_url=f"{GATEWAY}/v1", api_key=os.environ["KEY"]))


def anthropic_model(name):
    return AnthropicModel(name, provider=AnthropicProvider(base_url=GATEWAY, api_key=os.environ["KEY"]))


async def tool_loop(make=model):
    """For each model: the parts of all messages."""
    return {name: _outcome(await Agent(make(name), tools=[weather]).run(QUESTION)) for name in MODELS}


async def streamed_tool_loop(make=model):
    """The same, where the model's turns are streamed."""
    return {
        name: _outcome(await Agent(make(name), tools=[weather]).run(QUESTION, event_stream_handler=_read))
        for name in MODELS
    }


async def responses_tool_loop():
    return await tool_loop(responses_model)


async def streamed_responses_tool_loop():
    return await streamed_tool_loop(responses_model)


async def anthropic_tool_loop():
    return await tool_loop(anthropic_model)


async def streamed_anthropic_tool_loop():
    return await streamed_tool_loop(anthropic_model)


async def _read(_, events):
    async for _event in events:
        pass


def _outcome(result):
    parts = [part for message in result.all_messages() for part in message.parts]
    return [[part.part_kind, getattr(part, "tool_call_id", None), _content(part)] for part in parts]


def _content(part):
    return [part.tool_name, part.args_as_dict()] if part.part_kind == "tool-call" else part.content


async def structured():
    """A model as the format of the answer."""
    result = await Agent(model("qwen"), output_type=NativeOutput(Place)).run("Paris?")
    return result.output.model_dump(mode="json")


async def error():
    try:
        await Agent(model("unknown")).run("Hi")
    except ModelHTTPError as problem:
        return [problem.status_code, problem.body["code"]]
