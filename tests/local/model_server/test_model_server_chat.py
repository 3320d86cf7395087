"""TGI's own `/v1/chat/completions` and `/v1/models` on the stand-in, through curl and OpenAI's SDK."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import openai
import pytest

from tests.local.model_server.conftest import ModelServer, read_events

MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
MESSAGES: list[Any] = [
    {"role": "system", "content": "You are a helpful assistant."},
    {"role": "user", "content": "What is the capital of France?"},
]
BODY = {"model": "tgi", "messages": MESSAGES, "temperature": 0}
ANSWER = "The capital of France is Paris."
PROMPT_TOKENS = 27
ROUTES = (
    "This server has: POST /, GET /, POST /generate, POST /generate_stream, POST /tokenize, "
    "POST /v1/chat/completions, GET /v1/models, GET /info, GET /health, GET /ping, GET /metrics."
)


def client(model_server: ModelServer) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{model_server.url}/v1", api_key="none", max_retries=0)


def test_curl_gets_the_answer_in_the_shape_of_tgi(model_server: ModelServer) -> None:
    command = ["curl", "-s", f"{model_server.url}/v1/chat/completions", "-d", json.dumps(BODY)]
    said = subprocess.run([*command, "-H", "Content-Type: application/json"], capture_output=True, check=True).stdout
    answer = json.loads(said)

    assert answer.pop("created") > 1_700_000_000
    assert answer == {
        "object": "chat.completion",
        "id": "",
        "model": MODEL,
        "system_fingerprint": "3.3.7-native",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": ANSWER},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": 8, "total_tokens": PROMPT_TOKENS + 8},
    }


def test_the_sdk_gets_the_same_streamed(model_server: ModelServer) -> None:
    with client(model_server) as sdk:
        stream = sdk.chat.completions.create(
            model="tgi", messages=MESSAGES, temperature=0, stream=True, stream_options={"include_usage": True}
        )
        *chunks, last = list(stream)

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == ANSWER
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * 7 + ["stop"]
    assert last.choices == []
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (PROMPT_TOKENS, 8)


def test_the_sdk_gets_log_probabilities_with_the_likeliest_tokens(model_server: ModelServer) -> None:
    with client(model_server) as sdk:
        answer = sdk.chat.completions.create(
            model="tgi", messages=MESSAGES, temperature=0, max_tokens=3, logprobs=True, top_logprobs=2
        )

    [choice] = answer.choices
    assert choice.finish_reason == "length"
    assert choice.logprobs is not None
    tokens = choice.logprobs.content or []
    assert [token.token for token in tokens] == ["The", " capital", " of"]
    assert [(len(token.top_logprobs), token.top_logprobs[0].token) for token in tokens] == [
        (2, "The"),
        (2, " capital"),
        (2, " of"),
    ]


def test_the_sdk_lists_the_model(model_server: ModelServer) -> None:
    with client(model_server) as sdk:
        assert [(model.id, model.owned_by) for model in sdk.models.list()] == [(MODEL, MODEL)]


def test_a_response_format_of_tgi_holds_the_answer(model_server: ModelServer) -> None:
    schema = {"properties": {"capital": {"enum": ["Paris", "Rome"]}}, "required": ["capital"]}
    body = {**BODY, "response_format": {"type": "json_object", "value": schema}}
    answer = model_server.http.post("/v1/chat/completions", json=body).json()

    assert json.loads(answer["choices"][0]["message"]["content"]) in ({"capital": "Paris"}, {"capital": "Rome"})


def test_a_stop_sequence_stays_in_the_text_as_in_tgi(model_server: ModelServer) -> None:
    answer = model_server.http.post("/v1/chat/completions", json={**BODY, "stop": ["France"]}).json()

    [choice] = answer["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("The capital of France", "stop_sequence")


@pytest.mark.parametrize(
    ("more", "error", "kind"),
    [
        ({"top_p": 1}, "Input validation error: `top_p` must be > 0.0 and < 1.0", "validation"),
        (
            {"tools": [{"type": "function", "function": {"name": "f"}}]},
            "Input validation error: `tools` is not supported by the stand-in at its own address: call tools through "
            "the gateway, whose OpenAI API serves them",
            "validation",
        ),
        ({"messages": [{"role": "user"}]}, None, "template_error"),
    ],
)
def test_a_refusal_names_the_rule(
    model_server: ModelServer, more: dict[str, object], error: str | None, kind: str
) -> None:
    answer = model_server.http.post("/v1/chat/completions", json={**BODY, **more})

    body = answer.json()
    assert (answer.status_code, body["error_type"]) == (422, kind)
    assert body["error"] == error or (error is None and body["error"].startswith("Template error: "))


def test_a_refusal_in_a_stream_is_an_event_before_the_end(model_server: ModelServer) -> None:
    answer = model_server.http.post("/v1/chat/completions", json={**BODY, "top_p": 1, "stream": True})

    event, done = [line for line in answer.text.splitlines() if line]
    assert read_events(event) == [
        {
            "error": {
                "message": "Input validation error: `top_p` must be > 0.0 and < 1.0",
                "http_status_code": 422,
            }
        }
    ]
    assert done == "data: [DONE]"


@pytest.mark.parametrize(("more", "where"), [({"stop": "x"}, "stop"), ({"messages": "x"}, "messages")])
def test_a_field_of_another_type_is_named(model_server: ModelServer, more: dict[str, object], where: str) -> None:
    answer = model_server.http.post("/v1/chat/completions", json={**BODY, **more})

    assert (answer.status_code, answer.text.rpartition(" - at ")[2]) == (422, f"`$.{where}`")


def test_a_browser_at_the_address_reads_what_is_here(model_server: ModelServer) -> None:
    said = [model_server.http.get(f"{url}/") for url in model_server.urls]

    infos = [model_server.http.get(f"{url}/info").json() for url in model_server.urls]
    assert [(one.status_code, one.headers["content-type"], one.text) for one in said] == [
        (200, "text/plain; charset=utf-8", f"{info['note']}.\n\n{ROUTES}\n") for info in infos
    ]


def test_a_path_that_does_not_exist_is_answered_with_those_that_do(model_server: ModelServer) -> None:
    answer = model_server.http.post("/v1/completions", json={})

    assert (answer.status_code, answer.json()) == (
        404,
        {"error": f"no route /v1/completions. {ROUTES}", "error_type": "not_found"},
    )
