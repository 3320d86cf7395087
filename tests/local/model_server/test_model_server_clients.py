"""The stand-in through the clients that people use with TGI."""

from __future__ import annotations

import asyncio

import pytest
import text_generation
import text_generation.errors
from huggingface_hub import AsyncInferenceClient, InferenceClient

from tests.local.model_server.conftest import ModelServer

COUNTING = "1 2 3 4 5"
OWN_CLIENT = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20")
"""TGI's own client calls pydantic by an old name."""


@OWN_CLIENT
def test_tgis_own_client_generates(model_server: ModelServer) -> None:
    client = text_generation.Client(model_server.url, timeout=500)
    answer = client.generate(COUNTING, max_new_tokens=4, decoder_input_details=True, top_n_tokens=2)

    assert answer.generated_text == " 6 7"
    assert answer.details.finish_reason == "length"
    assert answer.details.generated_tokens == 4
    assert [token.text for token in answer.details.prefill] == ["1", " ", "2", " ", "3", " ", "4", " ", "5"]
    assert [len(top) for top in answer.details.top_tokens or []] == [2, 2, 2, 2]


@OWN_CLIENT
def test_tgis_own_client_streams(model_server: ModelServer) -> None:
    client = text_generation.Client(model_server.url, timeout=500)
    events = list(client.generate_stream(COUNTING, max_new_tokens=4, seed=1, do_sample=True))

    assert "".join(event.token.text for event in events) == events[-1].generated_text
    assert events[-1].details is not None
    assert events[-1].details.seed == 1


@OWN_CLIENT
def test_tgis_own_client_raises_its_error_for_a_broken_rule(model_server: ModelServer) -> None:
    client = text_generation.Client(model_server.url, timeout=500)

    with pytest.raises(text_generation.errors.ValidationError, match="Given: 7501 `inputs` tokens and 1000"):
        client.generate("a " * 7500, max_new_tokens=1000)


@OWN_CLIENT
def test_tgis_own_asynchronous_client_generates_and_streams(model_server: ModelServer) -> None:
    async def both() -> tuple[str, list[str]]:
        client = text_generation.AsyncClient(model_server.url, timeout=500)
        answer = await client.generate(COUNTING, max_new_tokens=4)
        return answer.generated_text, [
            event.token.text async for event in client.generate_stream(COUNTING, max_new_tokens=4)
        ]

    assert asyncio.run(both()) == (" 6 7", [" ", "6", " ", "7"])


def test_the_hubs_client_generates(model_server: ModelServer) -> None:
    with InferenceClient(model=model_server.url, timeout=500) as client:
        plain = client.text_generation(COUNTING, max_new_tokens=4, return_full_text=False)
        detailed = client.text_generation(COUNTING, max_new_tokens=4, details=True, stop=["6"], return_full_text=True)

    assert plain == " 6 7"
    assert detailed.generated_text == "1 2 3 4 5 6"
    assert detailed.details is not None
    assert detailed.details.finish_reason == "stop_sequence"


def test_the_hubs_client_streams(model_server: ModelServer) -> None:
    with InferenceClient(model=model_server.url, timeout=500) as client:
        texts = list(client.text_generation(COUNTING, max_new_tokens=4, stream=True))
        *_, last = client.text_generation(COUNTING, max_new_tokens=4, stream=True, details=True, return_full_text=False)

    assert texts == [" ", "6", " ", "7"]
    assert (last.generated_text, last.details.finish_reason if last.details else None) == (" 6 7", "length")


def test_the_hubs_client_holds_an_answer_to_a_grammar(model_server: ModelServer) -> None:
    with InferenceClient(model=model_server.url, timeout=500) as client:
        answer = client.text_generation(
            "A number:", max_new_tokens=12, grammar={"type": "regex", "value": "[0-9]{3}"}, return_full_text=False
        )

    assert answer.isdecimal()
    assert len(answer) == 3


def test_the_hubs_asynchronous_client_generates_and_streams(model_server: ModelServer) -> None:
    async def both() -> tuple[str, list[str]]:
        async with AsyncInferenceClient(model=model_server.url, timeout=500) as client:
            answer = await client.text_generation(COUNTING, max_new_tokens=4, return_full_text=False)
            stream = await client.text_generation(COUNTING, max_new_tokens=4, stream=True)
            return answer, [text async for text in stream]

    assert asyncio.run(both()) == (" 6 7", [" ", "6", " ", "7"])
