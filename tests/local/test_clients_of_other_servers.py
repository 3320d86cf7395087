"""Other people's clients with the examples of vLLM and TEI: the openai SDK, LangChain and LlamaIndex."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.clients.conftest import Programs
from tests.local.conftest import GROUP
from tests.support.local_service import LocalService, serving

MODEL, EMBEDDER = "Qwen/Qwen2.5-7B-Instruct", "BAAI/bge-base-en-v1.5"
QUESTION = "What is the capital of France? Answer in one sentence."
ANSWER = "The capital of France is Paris."
MESSAGES: Any = [{"role": "user", "content": QUESTION}]
ASKED = {"MODEL": MODEL, "EMBEDDER": EMBEDDER, "QUESTION": QUESTION}
EMBEDDED = {"dimensions": 384, "similarity": pytest.approx(0.2838, abs=0.0005)}

pytestmark = pytest.mark.xdist_group(GROUP)


@pytest.fixture(scope="module")
def both() -> Iterator[LocalService]:
    """`make local CONFIG="vllm tei"`."""
    with serving("vllm", "tei") as service:
        yield service


def test_the_openai_sdk_through_the_gateway_and_at_the_runs_own_address(both: LocalService) -> None:
    vllm, tei = both.runs
    for chats, embeds in (("/v1", "/v1"), (f"/services/{vllm}/v1", f"/services/{tei}/v1")):
        with openai.OpenAI(base_url=both.url + chats, api_key="none", max_retries=0) as client:
            chat = client.chat.completions.create(model=MODEL, messages=MESSAGES, temperature=0)
            with client.chat.completions.stream(model=MODEL, messages=MESSAGES, temperature=0) as stream:
                streamed = stream.get_final_completion()
            text = client.completions.create(model=MODEL, prompt="1 2 3 4 5", temperature=0, max_tokens=4)
            response = client.responses.create(model=MODEL, input=QUESTION, temperature=0)
            with client.responses.stream(model=MODEL, input=QUESTION, temperature=0) as events:
                responded = events.get_final_response()
        assert [chat.choices[0].message.content, streamed.choices[0].message.content] == [ANSWER] * 2
        assert text.choices[0].text == " 6 7"
        assert [response.output_text, responded.output_text] == [ANSWER] * 2
        assert {one.model for one in (chat, streamed, text, response, responded)} == {MODEL}
        with openai.OpenAI(base_url=both.url + embeds, api_key="none", max_retries=0) as client:
            vectors = client.embeddings.create(model=EMBEDDER, input=["a", "b"]).data
        assert [len(vector.embedding) for vector in vectors] == [384, 384]


def test_langchains_chat_and_embeddings(both: LocalService, program: Programs) -> None:
    found = program("langchain").run(both.url, "chat", "embeddings", **ASKED)
    assert found == {"chat": {"whole": ANSWER, "streamed": ANSWER}, "embeddings": EMBEDDED}


def test_llama_indexs_openai_like(both: LocalService, program: Programs) -> None:
    found = program("llama-index").run(both.url, "chat", "embeddings", **ASKED)
    assert found == {"chat": {"whole": ANSWER, "streamed": ANSWER, "completed": " 6 7"}, "embeddings": EMBEDDED}
