"""What the tests ask of LangChain."""

import os
from typing import Literal

from langchain.agents import create_agent
from langchain_openai import ChatOpenAI
from pydantic import AnyUrl, BaseModel

from tests.clients.weather import DEGREES, MODELS, QUESTION

GATEWAY = os.environ["GATEWAY"]


class Place(BaseModel):
    """A place."""

    name: str
    mayor: str | None
    population: int | str
    site: AnyUrl


def model(name):
    return ChatOpenAI(model=name, base_url=f"{GATEWAY}/v1", api_key=os.environ["KEY"], max_retries=0, timeout=20)


def weather(city: str, unit: Literal["celsius", "kelvin"]) -> str:
    """The weather in a city"""
    return DEGREES[city]


def tool_loop():
    """For each model: the messages of the agent."""
    return {name: _messages(create_agent(model(name), tools=[weather]).invoke(_question())) for name in MODELS}


def streamed_tool_loop():
    """The same, where the model's turns are streamed."""
    found = {}
    for name in MODELS:
        steps = create_agent(model(name), tools=[weather]).stream(_question(), stream_mode=["messages", "values"])
        *_, last = (state for mode, state in steps if mode == "values")
        found[name] = _messages(last)
    return found


def _question():
    return {"messages": [{"role": "user", "content": QUESTION}]}


def _messages(state):
    return [_message(message) for message in state["messages"]]


def _message(message):
    calls = [[call["id"], call["name"], call["args"]] for call in getattr(message, "tool_calls", [])]
    return [message.type, message.content, calls or getattr(message, "tool_call_id", None)]


def structured():
    """A model as the format of the answer."""
    place = model("qwen").with_structured_output(Place, method="json_schema").invoke("Paris?")
    return place.model_dump(mode="json")
