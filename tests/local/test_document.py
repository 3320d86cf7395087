"""The document's own requests, unchanged but for the address, with the stand-in answering."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from typing import Any

import httpx
import openai
import pytest

from tests.support.local_service import LLAMA_2, LLAMA_2_MODEL, MISTRAL, MISTRAL_MODEL, LocalService
from tests.support.processes import ROOT

MESSAGES: Any = [{"role": "user", "content": "Compose a poem that explains the concept of recursion in programming."}]
"""The document's."""
INPUTS = "<s>[INST] What is your favourite condiment?[/INST]"
SHORT = 24
"""Tokens: a fraction of a second on a CPU. Without a seed, the small model answers now and then with no text at all."""

DOCUMENT = {
    MISTRAL: "5c76f4c563de8afa26eda2154e211437bc8a12f70a2a3827b244335e24ccfc55",
    LLAMA_2: "4e8a8d1a512e3da7d7fa88f228bf9442a6211b5b3ca786a97cdec7782c912b96",
}
"""SHA-256 of the document's two configurations."""


@pytest.mark.parametrize("path", DOCUMENT)
def test_an_example_is_the_documents_byte_for_byte(path: str) -> None:
    assert hashlib.sha256((ROOT / path).read_bytes()).hexdigest() == DOCUMENT[path]


def test_the_banner_gives_every_address_and_says_what_stands_in(service: LocalService) -> None:
    for run, model in zip(service.runs, (MISTRAL_MODEL, LLAMA_2_MODEL), strict=True):
        assert (
            f"SmolLM2-135M-Instruct, a small real model on this machine's CPU, stands in for {model}, with TGI's API\n"
            in (service.banner)
        )
        assert f"run      {service.url}/services/{run}/ and http://{run}.localhost:{service.port}/" in service.banner
        assert f"model    {model}" in service.banner
    assert f"OpenAI API: {service.url}/v1, also {service.url} and http://gateway.localhost" in service.banner


def test_info_says_that_the_model_stands_in(service: LocalService) -> None:
    for run, model in zip(service.runs, (MISTRAL_MODEL, LLAMA_2_MODEL), strict=True):
        info = httpx.get(f"{service.url}/services/{run}/info").json()
        assert (info["model_id"], info["stands_in_for"]) == ("HuggingFaceTB/SmolLM2-135M-Instruct", model)
        assert f"stands in for {model}" in info["note"]


def test_the_documents_curl_answers_by_path(service: LocalService) -> None:
    body = json.dumps({"inputs": INPUTS, "parameters": {"max_new_tokens": SHORT}})
    answer = _curl(f"{service.url}/services/{service.run}/generate", "-X", "POST", "-d", body, "-H", JSON)
    assert answer["generated_text"].strip()


def test_the_documents_curl_answers_by_the_runs_name(service: LocalService) -> None:
    body = json.dumps({"inputs": INPUTS, "parameters": {"max_new_tokens": SHORT}})
    address = f"http://{service.run}.localhost:{service.port}/generate"
    answer = _curl(address, "-X", "POST", "-d", body, "-H", JSON)
    assert answer["generated_text"].strip()


def test_the_documents_curl_answers_with_its_own_body(service: LocalService) -> None:
    """It names no limit, so this is the model's whole answer."""
    body = json.dumps({"inputs": INPUTS})
    answer = _curl(f"{service.url}/services/{service.run}/generate", "-X", "POST", "-d", body, "-H", JSON)
    assert isinstance(answer["generated_text"], str)


def test_generate_stream_streams_tokens_and_ends_with_the_whole_text(service: LocalService) -> None:
    body = {"inputs": INPUTS, "parameters": {"max_new_tokens": SHORT, "details": True}}
    headers = {"host": f"{service.run}.localhost"}
    with httpx.stream("POST", f"{service.url}/generate_stream", json=body, headers=headers) as answer:
        events = [json.loads(line[5:]) for line in answer.iter_lines() if line.startswith("data:")]
    assert "".join(event["token"]["text"] for event in events if not event["token"]["special"]).strip()
    assert [event["generated_text"] is None for event in events] == [True] * (len(events) - 1) + [False]


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/"])
@pytest.mark.parametrize("model", [MISTRAL_MODEL, LLAMA_2_MODEL])
def test_the_documents_snippet_answers(service: LocalService, path: str, model: str) -> None:
    with openai.OpenAI(base_url=f"{service.url}{path}", api_key="none") as client:
        completion = client.chat.completions.create(model=model, messages=MESSAGES, max_tokens=SHORT, seed=7)
    (choice,) = completion.choices
    assert (completion.model, choice.message.role) == (model, "assistant")
    assert choice.message.content or model == LLAMA_2_MODEL, "to a prompt of Llama-2's it may have nothing to say"
    assert completion.usage is not None
    assert completion.usage.completion_tokens <= SHORT


@pytest.mark.parametrize("path", ["", "/v1"])
def test_the_documents_snippet_streams(service: LocalService, path: str) -> None:
    with openai.OpenAI(base_url=f"{service.url}{path}", api_key="none") as client:
        stream = client.chat.completions.create(
            model=MISTRAL_MODEL, messages=MESSAGES, max_tokens=SHORT, seed=7, stream=True
        )
        chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks).strip()
    assert [chunk.choices[0].finish_reason for chunk in chunks][-1] in ("stop", "length")
    assert len(chunks) > 3


def test_the_documents_snippet_answers_by_the_gateways_name(service: LocalService) -> None:
    host = {"Host": "gateway.localhost"}
    with openai.OpenAI(base_url=service.url, api_key="none", default_headers=host) as client:
        completion = client.chat.completions.create(model=MISTRAL_MODEL, messages=MESSAGES, max_tokens=SHORT, seed=7)
        assert completion.choices[0].message.content
        assert [model.id for model in client.models.list()] == [MISTRAL_MODEL, LLAMA_2_MODEL]


def test_the_same_seed_gives_the_same_answer(service: LocalService) -> None:
    with openai.OpenAI(base_url=service.url, api_key="none") as client:
        answers = {
            client.chat.completions.create(model=MISTRAL_MODEL, messages=MESSAGES, max_tokens=SHORT, seed=7)
            .choices[0]
            .message.content
            for _ in range(2)
        }
    assert len(answers) == 1


def test_a_configuration_without_a_template_renders_the_stand_ins_own(service: LocalService) -> None:
    """Asked greedily, the chat and the same prompt written by hand get the same answer."""
    prompt = (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\nSay hello.<|im_end|>\n<|im_start|>assistant\n"
    )
    body = {"inputs": prompt, "parameters": {"max_new_tokens": SHORT, "do_sample": False, "details": True}}
    by_hand = httpx.post(f"{service.url}/services/{service.run}/generate", json=body)
    with openai.OpenAI(base_url=service.url, api_key="none") as client:
        chat = client.chat.completions.create(
            model=MISTRAL_MODEL,
            messages=[{"role": "user", "content": "Say hello."}],
            max_tokens=SHORT,
            temperature=0,
        )
    assert chat.choices[0].message.content == by_hand.json()["generated_text"]
    assert chat.usage is not None
    assert str(chat.usage.prompt_tokens) == by_hand.headers["x-prompt-tokens"]


def test_with_a_template_of_its_own_the_second_configuration_renders_llama_2s_prompt(service: LocalService) -> None:
    prompt = f"<s>[INST] {MESSAGES[0]['content']} [/INST]"
    body = {"inputs": prompt, "parameters": {"max_new_tokens": SHORT, "do_sample": False, "stop": ["</s>"]}}
    by_hand = httpx.post(f"{service.url}/services/{service.runs[1]}/generate", json=body)
    with openai.OpenAI(base_url=service.url, api_key="none") as client:
        chat = client.chat.completions.create(model=LLAMA_2_MODEL, messages=MESSAGES, max_tokens=SHORT, temperature=0)
    assert chat.choices[0].message.content == by_hand.json()["generated_text"].partition("</s>")[0]
    assert chat.usage is not None
    assert str(chat.usage.prompt_tokens) == by_hand.headers["x-prompt-tokens"]


def test_roles_that_do_not_alternate_are_refused_by_the_second_and_not_by_the_first(service: LocalService) -> None:
    twice: Any = [*MESSAGES, *MESSAGES]
    with openai.OpenAI(base_url=service.url, api_key="none", max_retries=0) as client:
        with pytest.raises(openai.BadRequestError, match="Conversation roles must alternate") as refused:
            client.chat.completions.create(model=LLAMA_2_MODEL, messages=twice, max_tokens=SHORT)
        assert refused.value.body == {
            "message": refused.value.body["message"],  # pyright: ignore
            "type": "invalid_request_error",
            "param": "messages",
            "code": "chat_template_error",
        }
        assert client.chat.completions.create(model=MISTRAL_MODEL, messages=twice, max_tokens=2).choices


JSON = "Content-Type: application/json"


def _curl(address: str, *arguments: str) -> dict[str, Any]:
    """What curl gets; it has to be the 200 of a JSON object."""
    line = ["curl", "-sS", "--fail-with-body", "--max-time", "100", address, *arguments]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert re.match(r"\{", done.stdout)
    return json.loads(done.stdout)
