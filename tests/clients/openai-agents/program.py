"""What the tests ask of OpenAI's Agents SDK, whose default is the Responses API."""

import os
from typing import Literal

from agents import Agent, Runner, function_tool, set_default_openai_client
from openai import AsyncOpenAI

from tests.clients.weather import DEGREES, MODELS, QUESTION


@function_tool
def weather(city: str, unit: Literal["celsius", "kelvin"]) -> str:
    """The weather in a city"""
    return DEGREES[city]


def use_gateway():
    url = f"{os.environ['GATEWAY']}/v1"
    set_default_openai_client(AsyncOpenAI(base_url=url, api_key=os.environ["KEY"], max_retries=0))


async def tool_loop():
    """For each model: the items of all turns."""
    use_gateway()
    return {name: _items(await Runner.run(_agent(name), QUESTION)) for name in MODELS}


async def streamed_tool_loop():
    use_gateway()
    found = {}
    for name in MODELS:
        result = Runner.run_streamed(_agent(name), QUESTION)
        async for _event in result.stream_events():
            pass
        found[name] = _items(result)
    return found


def _agent(name):
    return Agent(name="assistant", model=name, tools=[weather])


def _items(result):
    return [_shown(item) for item in result.to_input_list()]


def _shown(item):
    match item.get("type"):
        case "function_call":
            return [item["type"], item["call_id"], item["arguments"]]
        case "function_call_output":
            return [item["type"], item["call_id"], item["output"]]
        case _:
            content = item["content"]
            return [item["role"], content if isinstance(content, str) else content[0]["text"]]
