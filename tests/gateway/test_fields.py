"""Fields that other servers have, misspelt names, and values that ask for nothing: docs/translation.md#fields."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from gateway_lambda.generation.other_fields import Spelling
from tests.gateway.scripted_tgi import answer
from tests.gateway.serving import Bench


@pytest.mark.parametrize(
    "fields",
    [
        {"min_p": 0, "ignore_eos": False, "stop_token_ids": [], "skip_special_tokens": True, "length_penalty": 1.0},
        {"logprobs": False, "top_logprobs": 0},
        {"top_logprobs": 0},
        {"best_of": 1, "typical_p": 1},
        {"max_tokens": -1},
        {"max_completion_tokens": -1, "max_tokens": None},
        {"presence_penalty": 0.0, "frequency_penalty": 0, "logit_bias": {"5": 0, "6": 0.0}},
        {"models": ["a"], "provider": {}, "top_z": 1, "\r\nx: y": 1},
    ],
)
def test_what_asks_for_nothing_leaves_the_same_bytes(bench: Bench, fields: dict[str, Any]) -> None:
    bench.chat()
    assert bench.post(**fields).status_code == 200
    assert bench.tgi.generated[0].body == bench.tgi.generated[1].body


def test_a_completion_without_a_limit_has_the_default(bench: Bench) -> None:
    assert bench.post({"model": "m", "prompt": "x", "max_tokens": -1}, path="/v1/completions").status_code == 200
    assert bench.tgi.generated[0].parameters["max_new_tokens"] == 16


REFUSED = [
    *({"min_p": 0.1}, {"min_tokens": 5}, {"ignore_eos": True}, {"stop_token_ids": [2]}, {"skip_special_tokens": False}),
    {"best_of": 2},
    *({"temprature": 0.5}, {"maxTokens": 5}, {"max-tokens": 5}, {"max_token": 5}, {"topP": 0.5}, {"stops": ["a"]}),
    *({"respones_format": {}}, {"function": []}, {"logit_biass": {}}),
]


@pytest.mark.parametrize("fields", REFUSED)
def test_what_changes_the_answer_is_refused_or_named(bench: Bench, fields: dict[str, Any]) -> None:
    (name,) = fields
    with pytest.raises(openai.BadRequestError) as refused:
        bench.chat(**fields)
    assert (refused.value.param, refused.value.code) == (name, "unsupported_parameter")
    assert bench.tgi.generated == []
    bench.register(bench.service(unsupported_params="drop"))
    assert bench.post(**fields).headers["x-gateway-dropped-params"] == name


@pytest.mark.parametrize("name", ["max_completion_tokens", "top_logprobs", "reasoning_effort", "chat_template_kwargs"])
def test_a_field_of_chat_completions_is_no_field_of_completions(bench: Bench, name: str) -> None:
    response = bench.post({"model": "m", "prompt": "x", name: 5}, path="/v1/completions")
    message = f"{name} is not supported here: this route does not have it; leave it out"
    error = {"message": message, "type": "invalid_request_error", "param": name, "code": "unsupported_parameter"}
    assert (response.status_code, response.json()) == (400, {"error": error})


def test_a_name_is_told_from_others() -> None:
    spelling = Spelling(["temperature", "stop", "top_p"])
    names = [
        "temperature ",
        "temperatur",
        "tempersture",
        "xtemperature",
        "top-P",
        "top_n",
        "stoop",
        "stop\n",
        "t" * 1000,
    ]
    assert [spelling.meant(name) for name in names] == [
        *(None, "temperature", "temperature", "temperature", "top_p", None, "stop", None, None)
    ]


@pytest.mark.parametrize("stream", [False, True])
def test_more_stops_than_the_server_takes_are_found(bench: Bench, stream: bool) -> None:
    bench.tgi.usual = answer("one ", "six ", "two", "</s>*")
    stops = ["a1", "a2", "a3", "a4", "a5", "six"]
    if stream:
        text = "".join(each["choices"][0]["delta"].get("content", "") for each in bench.events(stop=stops)[:-1])
    else:
        text = bench.chat(stop=stops).choices[0].message.content
    assert text == "one "
    assert bench.tgi.generated[0].parameters["stop"] == stops[:4]
