"""OpenAI's API as vLLM has it, out of the small model."""

from __future__ import annotations

import json
from typing import Any

import httpx
import openai
import pytest

from tests.local.model_server.conftest import StandIns, read_events

MESSAGES: list[Any] = [{"role": "user", "content": "What is the capital of France? Answer in one sentence."}]
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


def test_a_chat_has_the_configured_models_name_and_the_small_models_answer(stand_ins: StandIns) -> None:
    answer = ask(stand_ins.vllm, "/v1/chat/completions", model="org/chat", messages=MESSAGES, temperature=0)

    assert (answer["object"], answer["model"]) == ("chat.completion", "org/chat")
    assert answer["choices"] == [
        {
            "finish_reason": "stop",
            "index": 0,
            "message": {"role": "assistant", "content": "The capital of France is Paris."},
        }
    ]
    assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] + 8


def test_a_stream_has_the_same_text_and_name(stand_ins: StandIns) -> None:
    body = {"model": "org/chat", "messages": MESSAGES, "temperature": 0, "stream": True}
    text = stand_ins.vllm.post("/v1/chat/completions", json=body).text

    *events, done = text.strip().split("\n\n")
    chunks = read_events("\n".join(events))
    assert done == "data: [DONE]"
    assert {chunk["model"] for chunk in chunks} == {"org/chat"}
    said = [chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"]]
    assert "".join(said) == "The capital of France is Paris."


def test_a_name_in_the_text_of_an_answer_stays_as_it_is(stand_ins: StandIns) -> None:
    """Within a text, a quote has a backslash: only the field is renamed."""
    grammar = r'''root ::= "{\"model\":\"stand-in\"}"'''
    answer = ask(stand_ins.vllm, "/v1/completions", prompt="Once", grammar=grammar, max_tokens=30)

    assert answer["choices"][0]["text"] == '{"model":"stand-in"}'
    assert answer["model"] == "org/chat"


def test_only_its_own_name_is_answered_to_if_the_server_is_so(stand_ins: StandIns) -> None:
    refused = {
        "error": {
            "message": "The model `org/other` does not exist.",
            "type": "NotFoundError",
            "param": "model",
            "code": 404,
        }
    }
    body = {"model": "org/other", "messages": MESSAGES, "max_tokens": 1}
    for path in ("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings", "/tokenize"):
        answer = stand_ins.vllm.post(path, json=body)
        assert (answer.status_code, answer.json()) == (404, refused), path
    answer = stand_ins.vllm.get("/v1/models/org/other")
    assert (answer.status_code, answer.json()) == (404, refused)

    anyone = stand_ins.sglang.post("/openai/v1/chat/completions", json=body)
    assert (anyone.status_code, anyone.json()["model"]) == (200, "HuggingFaceTB/SmolLM2-135M-Instruct")


def test_the_models_are_the_one_that_is_stood_in_for(stand_ins: StandIns) -> None:
    model = {
        "id": "org/chat",
        "object": "model",
        "created": 0,
        "owned_by": "servestack-stand-in",
        "max_model_len": 8192,
    }
    assert stand_ins.vllm.get("/v1/models").json() == {"object": "list", "data": [model]}
    assert stand_ins.vllm.get("/v1/models/org/chat").json() == model


def test_an_error_of_llama_cpp_comes_back_with_its_status_streamed_or_not(stand_ins: StandIns) -> None:
    for stream in (False, True):
        body = {"model": "org/chat", "messages": 5, "stream": stream}
        answer = stand_ins.vllm.post("/v1/chat/completions", json=body)
        assert (answer.status_code, answer.json()["error"]["message"]) == (400, "Expected 'messages' to be an array")


@pytest.mark.parametrize(
    ("content", "kind", "status", "message"),
    [
        (b"{", "application/json", 400, "Failed to parse the request body as JSON: Input data was truncated"),
        (b"[]", "application/json", 422, "Failed to deserialize the JSON body into the target type: Expected `object`"),
        (b"{}", "text/plain", 415, "Expected request with `Content-Type: application/json`"),
    ],
)
def test_a_body_that_is_no_object_is_refused_in_openais_form(
    stand_ins: StandIns, content: bytes, kind: str, status: int, message: str
) -> None:
    answer = stand_ins.vllm.post("/v1/chat/completions", content=content, headers={"content-type": kind})

    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["code"]) == (status, "BadRequestError", status)
    assert error["message"].startswith(message)


def test_embeddings_of_a_model_for_chats_are_refused_as_vllm_refuses_them(stand_ins: StandIns) -> None:
    answer = stand_ins.vllm.post("/v1/embeddings", json={"model": "org/chat", "input": "a"})

    assert (answer.status_code, answer.json()["error"]["message"]) == (
        400,
        "The model does not support Embeddings API: a model that writes text stands in here",
    )


def test_a_path_that_is_not_there_names_those_that_are(stand_ins: StandIns) -> None:
    answer = stand_ins.vllm.post("/v1/rerank", json={})

    message = answer.json()["error"]["message"]
    assert (answer.status_code, message.split(". ")[0]) == (404, "no route /v1/rerank")
    assert "POST /v1/chat/completions" in message
    assert stand_ins.vllm.get("/").text.startswith(
        "HuggingFaceTB/SmolLM2-135M-Instruct on llama.cpp stands in for org/chat on this machine"
    )


def test_a_schema_holds(stand_ins: StandIns) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 20}}, "required": ["city"]}
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    answer = ask(
        stand_ins.vllm, "/v1/chat/completions", messages=MESSAGES, response_format=form, temperature=0, max_tokens=40
    )

    assert json.loads(answer["choices"][0]["message"]["content"]) == {"city": "Paris"}


def test_tools_are_in_the_prompt_and_without_them_it_is_the_small_models_own(stand_ins: StandIns) -> None:
    def prompt_tokens(**more: Any) -> int:
        return ask(stand_ins.vllm, "/v1/chat/completions", messages=MESSAGES, max_tokens=1, **more)["usage"][
            "prompt_tokens"
        ]

    own = (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        f"<|im_start|>user\n{MESSAGES[0]['content']}<|im_end|>\n<|im_start|>assistant\n"
    )
    assert prompt_tokens() == ask(stand_ins.vllm, "/tokenize", prompt=own)["count"]
    assert ask(stand_ins.vllm, "/tokenize", messages=MESSAGES)["count"] == prompt_tokens()
    assert prompt_tokens(tools=[TOOL]) > prompt_tokens() + 50


def test_the_sdks_streams_of_responses_are_whole(stand_ins: StandIns) -> None:
    with openai.OpenAI(base_url=f"{stand_ins.vllm.base_url}/v1", api_key="none") as client:
        with client.responses.stream(
            model="org/chat", input=MESSAGES[0]["content"], temperature=0, max_output_tokens=20
        ) as stream:
            events = list(stream)
            final = stream.get_final_response()
        plain = client.responses.create(
            model="org/chat", input=MESSAGES[0]["content"], temperature=0, max_output_tokens=20
        )

    assert (final.output_text, final.model) == ("The capital of France is Paris.", "org/chat")
    assert (plain.output_text, plain.model) == ("The capital of France is Paris.", "org/chat")
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert (events[0].type, events[-1].type) == ("response.created", "response.completed")


def test_a_client_that_leaves_frees_its_place(stand_ins: StandIns) -> None:
    body = {"model": "org/chat", "messages": MESSAGES, "max_tokens": 4000, "ignore_eos": True, "stream": True}
    for _ in range(3):
        with stand_ins.vllm.stream("POST", "/v1/chat/completions", json=body) as response:
            next(response.iter_lines())

    assert ask(stand_ins.vllm, "/v1/completions", prompt="a", max_tokens=1)["usage"]["completion_tokens"] == 1


def test_several_answers_to_one_request_and_a_limit_that_is_said(stand_ins: StandIns) -> None:
    two = ask(stand_ins.vllm, "/v1/chat/completions", messages=MESSAGES, n=2, max_tokens=2)
    three = stand_ins.vllm.post("/v1/chat/completions", json={"messages": MESSAGES, "n": 3, "max_tokens": 2})

    assert [choice["index"] for choice in two["choices"]] == [0, 1]
    assert three.status_code == 400
    assert "1 <= value <= 2" in three.json()["error"]["message"]


def test_an_answer_without_a_limit_ends(stand_ins: StandIns) -> None:
    chat = ask(stand_ins.vllm, "/v1/chat/completions", messages=MESSAGES, temperature=0, ignore_eos=True)
    completion = ask(stand_ins.vllm, "/v1/completions", prompt="a a a a a a a a", ignore_eos=True)

    ends = [(one["choices"][0]["finish_reason"], one["usage"]["completion_tokens"]) for one in (chat, completion)]
    assert ends == [("length", 512), ("length", 16)]


def test_health_and_metrics(stand_ins: StandIns) -> None:
    for path in ("/health", "/ping"):
        assert (stand_ins.vllm.get(path).status_code, stand_ins.vllm.get(path).content) == (200, b"")
    assert "llamacpp:tokens_predicted_total" in stand_ins.vllm.get("/metrics").text


def ask(client: httpx.Client, path: str, **body: Any) -> dict[str, Any]:
    """The answer to a request that has to work."""
    response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    return response.json()
