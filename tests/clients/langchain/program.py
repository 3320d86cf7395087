"""What the tests ask of LangChain."""

import os
from typing import Literal

from langchain.agents import create_agent
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
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


def chat():
    """The same answer whole and streamed."""
    asked = ChatOpenAI(
        model=os.environ["MODEL"],
        base_url=f"{GATEWAY}/v1",
        api_key=os.environ["KEY"],
        temperature=0,
        max_tokens=20,
        max_retries=0,
        timeout=60,
    )
    question = os.environ["QUESTION"]
    return {"whole": asked.invoke(question).content, "streamed": "".join(part.text for part in asked.stream(question))}


def embeddings():
    """Embeddings of texts, which a server that is not OpenAI's must get as texts."""
    model = OpenAIEmbeddings(
        model=os.environ["EMBEDDER"],
        base_url=f"{GATEWAY}/v1",
        api_key=os.environ["KEY"],
        check_embedding_ctx_length=False,
        max_retries=0,
    )
    cat, dog = model.embed_documents(["The cat sits outside", "The dog plays in the garden"])
    return {"dimensions": len(cat), "similarity": sum(a * b for a, b in zip(cat, dog, strict=True))}
