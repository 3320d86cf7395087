"""Other people's clients, as they are, with a real model: openai, huggingface_hub, TGI's own, openai for Node.js."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import huggingface_hub
import openai
import pytest

from tests.clients.conftest import Programs
from tests.local.conftest import GROUP
from tests.support.local_service import LLAMA_2_MODEL, MISTRAL_MODEL, LocalService
from tests.support.requirements import require

PROMPT = "The capital of France is"
MESSAGES: Any = [{"role": "user", "content": "Name a colour."}]
SHORT = 12
OLD_PYDANTIC = pytest.mark.filterwarnings("ignore:The `dict` method is deprecated")
"""TGI's client was written for pydantic 1."""


def test_openai_asynchronously_streaming_and_not(service: LocalService) -> None:
    async def ask() -> tuple[str, str]:
        async with openai.AsyncOpenAI(base_url=service.url, api_key="none") as client:
            whole, stream = await asyncio.gather(
                client.chat.completions.create(model=MISTRAL_MODEL, messages=MESSAGES, max_tokens=SHORT, temperature=0),
                client.chat.completions.create(
                    model=MISTRAL_MODEL, messages=MESSAGES, max_tokens=SHORT, temperature=0, stream=True
                ),
            )
            parts = [chunk.choices[0].delta.content or "" async for chunk in stream]
        return whole.choices[0].message.content or "", "".join(parts)

    whole, streamed = asyncio.run(ask())
    assert whole == streamed
    assert whole.strip()


def test_openais_usage_and_models(service: LocalService) -> None:
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="none") as client:
        stream = client.chat.completions.create(
            model=LLAMA_2_MODEL,
            messages=MESSAGES,
            max_tokens=SHORT,
            stream=True,
            stream_options={"include_usage": True},
        )
        usage = [chunk.usage for chunk in stream][-1]
        assert usage is not None
        assert 0 < usage.completion_tokens <= SHORT
        assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
        assert client.models.retrieve(LLAMA_2_MODEL).id == LLAMA_2_MODEL


def test_huggingface_hub_text_generation(service: LocalService) -> None:
    client = huggingface_hub.InferenceClient(base_url=f"{service.url}/services/{service.run}")
    text = client.text_generation(PROMPT, max_new_tokens=SHORT)
    details = client.text_generation(PROMPT, max_new_tokens=SHORT, details=True)
    assert text == details.generated_text
    assert details.details is not None
    assert details.details.generated_tokens <= SHORT


def test_huggingface_hub_text_generation_streaming(service: LocalService) -> None:
    client = huggingface_hub.InferenceClient(base_url=f"{service.url}/services/{service.run}")
    whole = client.text_generation(PROMPT, max_new_tokens=SHORT, return_full_text=False)
    assert "".join(client.text_generation(PROMPT, max_new_tokens=SHORT, stream=True)) == whole
    stream = client.text_generation(PROMPT, max_new_tokens=SHORT, return_full_text=False, stream=True, details=True)
    details = list(stream)
    assert details[-1].generated_text == whole


def test_huggingface_hub_chat_completion_streaming_and_not(service: LocalService) -> None:
    client = huggingface_hub.InferenceClient(base_url=f"{service.url}/v1")
    whole = client.chat_completion(MESSAGES, model=MISTRAL_MODEL, max_tokens=SHORT, temperature=0)
    stream = client.chat_completion(MESSAGES, model=MISTRAL_MODEL, max_tokens=SHORT, temperature=0, stream=True)
    parts = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
    assert "".join(parts) == whole.choices[0].message.content


@OLD_PYDANTIC
def test_tgis_own_client_streaming_and_not(service: LocalService) -> None:
    require("text-generation")
    import text_generation

    client = text_generation.Client(f"{service.url}/services/{service.run}", timeout=500)
    whole = client.generate(PROMPT, max_new_tokens=SHORT)
    parts = [response.token.text for response in client.generate_stream(PROMPT, max_new_tokens=SHORT)]
    assert "".join(parts) == whole.generated_text
    assert whole.details is not None
    assert whole.details.generated_tokens <= SHORT


@OLD_PYDANTIC
def test_tgis_own_client_asynchronously(service: LocalService) -> None:
    require("text-generation")
    import text_generation

    async def ask() -> str:
        client = text_generation.AsyncClient(f"{service.url}/services/{service.run}", timeout=500)
        return (await client.generate(PROMPT, max_new_tokens=SHORT, seed=1)).generated_text

    assert asyncio.run(ask()).strip()


@pytest.mark.xdist_group(GROUP)
def test_openai_for_node_with_a_forced_call_its_result_and_a_schema(service: LocalService, program: Programs) -> None:
    functions = ("forced_call", "real_object")
    found = program("openai-node").run(service.url, *functions, MODEL=MISTRAL_MODEL)
    call, text, streamed = (found["forced_call"][name] for name in ("call", "text", "streamed"))
    assert call["name"] == "weather"
    arguments = json.loads(call["arguments"])
    assert (set(arguments), arguments["unit"] in ("celsius", "kelvin")) == ({"city", "unit"}, True)
    assert text == streamed
    assert text.strip()
    animal = found["real_object"]
    assert set(animal) == {"age", "kind"}
    assert animal["kind"] in ("cat", "dog")
