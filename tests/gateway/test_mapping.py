"""What a request becomes at the upstream, case by case: P01 to P24 of docs/translation.md#cases."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.gateway.serving import HI, Bench

BASE = {
    "do_sample": True,
    "max_new_tokens": None,
    "stop": ["</s>"],
    "details": True,
    "return_full_text": False,
    "decoder_input_details": False,
}
GREEDY = {**BASE, "do_sample": False}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


def test_p01_the_base_request_becomes_the_canonical_body_and_its_answer_a_completion(bench: Bench) -> None:
    completion = bench.chat()
    asked = bench.tgi.generated
    assert [(each.method, each.path, each.json) for each in asked] == [
        ("POST", "/generate", {"inputs": "[user]Hi</s>[assistant]", "parameters": BASE})
    ]
    found = completion.model_dump()
    assert found["id"].startswith("chatcmpl-")
    assert len(found["id"]) >= len("chatcmpl-") + 24
    assert found["created"] > 1_700_000_000
    assert found["system_fingerprint"].startswith("fp_")
    raw = bench.post().json()
    assert {key: raw[key] for key in ("object", "model", "choices", "usage")} == {
        "object": "chat.completion",
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello world", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11},
    }


MAPPED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("P02", {"temperature": 0}, GREEDY),
    ("P02-below-the-floor", {"temperature": 0.009}, GREEDY),
    ("P02-at-the-floor", {"temperature": 0.01}, {**BASE, "temperature": 0.01}),
    ("P03", {"temperature": 0, "top_p": 0.9, "top_k": 5}, GREEDY),
    (
        "P03-typical",
        {"temperature": 0.0, "typical_p": 0.9, "repetition_penalty": 1.5, "seed": 1},
        {**GREEDY, "repetition_penalty": 1.5, "seed": 1},
    ),
    ("P04", {"temperature": 1}, BASE),
    ("P05", {"temperature": 0.7, "top_p": 0.9}, {**BASE, "temperature": 0.7, "top_p": 0.9}),
    ("P06-one", {"top_p": 1}, BASE),
    ("P06-null", {"top_p": None}, BASE),
    ("P06-both", {"top_p": 1.0, "temperature": None}, BASE),
    ("P06-one-in-float32", {"top_p": 0.99999999}, BASE),
    ("P07", {"top_p": 0}, GREEDY),
    ("P07-zero-in-float32", {"top_p": 1e-46}, GREEDY),
    ("P09-max_tokens", {"max_tokens": 5}, {**BASE, "max_new_tokens": 5}),
    ("P09-max_completion_tokens", {"max_completion_tokens": 6}, {**BASE, "max_new_tokens": 6}),
    ("P09-both-alike", {"max_completion_tokens": 6, "max_tokens": 6}, {**BASE, "max_new_tokens": 6}),
    ("P11", {"seed": 42}, {**BASE, "seed": 42}),
    ("P11-negative", {"seed": -1}, {**BASE, "seed": 18446744073709551615}),
    ("P11-zero", {"seed": 0}, {**BASE, "seed": 0}),
    ("P13-string", {"stop": "###"}, {**BASE, "stop": ["###", "</s>"]}),
    ("P13-list", {"stop": ["a", "b"]}, {**BASE, "stop": ["a", "b", "</s>"]}),
    ("P13-twice", {"stop": ["b", "a", "b"]}, {**BASE, "stop": ["b", "a", "</s>"]}),
    ("P14", {"stop": ["a", "b", "c", "z"]}, {**BASE, "stop": ["a", "b", "c", "z"]}),
    ("P16-zero", {"frequency_penalty": 0}, BASE),
    ("P16", {"frequency_penalty": 0.5}, {**BASE, "frequency_penalty": 0.5}),
    ("P17", {"presence_penalty": 0}, BASE),
    ("P18", {"logit_bias": {}}, BASE),
    (
        "P20",
        {
            "user": "u",
            "metadata": {"k": "v"},
            "store": True,
            "service_tier": "auto",
            "prompt_cache_key": "x",
            "safety_identifier": "y",
            "verbosity": "low",
            "prediction": {"type": "content", "content": "z"},
            "zzz_unknown": 1,
        },
        BASE,
    ),
    (
        "P21",
        dict.fromkeys(
            (
                "max_completion_tokens",
                "max_tokens",
                "temperature",
                "top_p",
                "seed",
                "n",
                "stop",
                "frequency_penalty",
                "presence_penalty",
                "logit_bias",
                "logprobs",
                "top_logprobs",
                "response_format",
                "tools",
                "tool_choice",
                "parallel_tool_calls",
                "functions",
                "function_call",
                "stream",
                "stream_options",
                "user",
                "safety_identifier",
                "prompt_cache_key",
                "prompt_cache_options",
                "prompt_cache_retention",
                "metadata",
                "store",
                "service_tier",
                "prediction",
                "verbosity",
                "reasoning_effort",
                "modalities",
                "audio",
                "web_search_options",
                "moderation",
                "top_k",
                "repetition_penalty",
                "typical_p",
                "watermark",
                "truncate",
                "chat_template_kwargs",
                "add_generation_prompt",
                "continue_final_message",
                "chat_template",
            )
        ),
        BASE,
    ),
    ("P22", {"modalities": ["text"]}, BASE),
    (
        "P23",
        {"top_k": 40, "repetition_penalty": 1.1, "typical_p": 0.9},
        {**BASE, "top_k": 40, "repetition_penalty": 1.1, "typical_p": 0.9},
    ),
    ("P23-nothing-to-say", {"top_k": -1, "repetition_penalty": 1.0, "typical_p": 1.0, "watermark": False}, BASE),
    ("P23-the-rest", {"watermark": True, "truncate": 9}, {**BASE, "watermark": True, "truncate": 9}),
    ("functions-none", {"functions": [], "function_call": "none"}, BASE),
]


@pytest.mark.parametrize(("merged", "parameters"), [row[1:] for row in MAPPED], ids=[row[0] for row in MAPPED])
def test_a_field_becomes_its_parameters_and_no_others(
    bench: Bench, merged: dict[str, Any], parameters: dict[str, Any]
) -> None:
    assert bench.chat(**merged).choices[0].message.content == "Hello world"
    assert [each.parameters for each in bench.tgi.generated] == [parameters]


REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    ("P08-above", {"temperature": 2.5}, "temperature", "invalid_value"),
    ("P08-below", {"temperature": -1}, "temperature", "invalid_value"),
    ("P08-top_p", {"top_p": 1.5}, "top_p", "invalid_value"),
    ("P08-string", {"temperature": "0"}, "temperature", "invalid_type"),
    ("P08-boolean", {"temperature": True}, "temperature", "invalid_type"),
    ("P10-both", {"max_tokens": 5, "max_completion_tokens": 6}, "max_tokens", "invalid_value"),
    ("P10-zero", {"max_tokens": 0}, "max_tokens", "invalid_value"),
    ("P10-fraction", {"max_tokens": 1.5}, "max_tokens", "invalid_type"),
    ("P10-above-32-bits", {"max_tokens": 4294967296}, "max_tokens", "invalid_value"),
    ("P10-newer-above", {"max_completion_tokens": 10**12}, "max_completion_tokens", "invalid_value"),
    ("P10-newer", {"max_completion_tokens": 0}, "max_completion_tokens", "invalid_value"),
    ("P12-large", {"seed": 9223372036854775808}, "seed", "invalid_value"),
    ("P12-fraction", {"seed": 1.5}, "seed", "invalid_type"),
    ("P15-33", {"stop": [f"{number}" for number in range(33)]}, "stop", "invalid_value"),
    ("P15-empty", {"stop": ""}, "stop", "invalid_value"),
    ("P15-number", {"stop": [1]}, "stop", "invalid_type"),
    ("P15-empty-in-a-list", {"stop": ["a", ""]}, "stop", "invalid_value"),
    ("P16-above", {"frequency_penalty": 3}, "frequency_penalty", "invalid_value"),
    ("P17-some", {"presence_penalty": 0.5}, "presence_penalty", "unsupported_parameter"),
    ("P17-above", {"presence_penalty": 3}, "presence_penalty", "invalid_value"),
    ("P18-some", {"logit_bias": {"50": 1}}, "logit_bias", "unsupported_parameter"),
    ("P22-audio", {"modalities": ["text", "audio"], "audio": {"voice": "x"}}, "modalities", "unsupported_parameter"),
    ("P22-search", {"web_search_options": {}}, "web_search_options", "unsupported_parameter"),
    ("moderation", {"moderation": {"a": 1}}, "moderation", "unsupported_parameter"),
    ("chat_template", {"chat_template": "{{ 1 }}"}, "chat_template", "unsupported_parameter"),
    ("repetition_penalty", {"repetition_penalty": 0}, "repetition_penalty", "invalid_value"),
    ("typical_p", {"typical_p": 0}, "typical_p", "invalid_value"),
    ("top_k", {"top_k": 2147483648}, "top_k", "invalid_value"),
    ("truncate-above", {"truncate": 9223372036854775808}, "truncate", "invalid_value"),
    ("truncate", {"truncate": 0}, "truncate", "invalid_value"),
    (
        "both-endings",
        {"add_generation_prompt": True, "continue_final_message": True},
        "continue_final_message",
        "invalid_value",
    ),
    ("reserved", {"chat_template_kwargs": {"messages": 1}}, "chat_template_kwargs", "invalid_value"),
    ("stream-string", {"stream": "yes"}, "stream", "invalid_type"),
    ("P60", {"stream_options": {"include_usage": True}}, "stream_options", "invalid_value"),
    ("top_logprobs-without", {"top_logprobs": 1, "logprobs": False}, "top_logprobs", "invalid_value"),
    ("stop-number", {"stop": 5}, "stop", "invalid_type"),
    ("top_logprobs-alone", {"top_logprobs": 2}, "top_logprobs", "invalid_value"),
]


@pytest.mark.parametrize(("merged", "param", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_field_that_cannot_be_served_is_refused_before_anything_is_sent(
    bench: Bench, merged: dict[str, Any], param: str, code: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        bench.chat(**merged)
    assert (refused.value.param, refused.value.code, refused.value.type) == (param, code, "invalid_request_error")
    assert bench.tgi.generated == []


def test_p20_ignored_fields_leave_the_same_bytes(bench: Bench) -> None:
    bench.chat()
    bench.chat(user="u", metadata={"k": "v"}, store=True, seed=None, zzz_unknown=1)
    assert bench.tgi.generated[0].body == bench.tgi.generated[1].body


def test_p11_the_seed_is_sent_as_an_exact_integer(bench: Bench) -> None:
    bench.chat(seed=-1)
    assert b'"seed":18446744073709551615' in bench.tgi.generated[0].body


@pytest.mark.parametrize("stream", [False, True])
def test_p19_dropped_parameters_are_named_in_a_header(bench: Bench, stream: bool) -> None:
    bench.register(bench.service(unsupported_params="drop"))
    response = bench.post(presence_penalty=0.5, logit_bias={"5": 1}, stream=stream)
    assert (response.status_code, response.headers["x-gateway-dropped-params"]) == (200, "presence_penalty, logit_bias")
    assert [each.parameters for each in bench.tgi.generated] == [BASE]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("merged", "param"),
    [
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}},
            "response_format",
        ),
    ],
)
def test_p24_what_version_1_4_0_ignores_silently_is_refused(
    bench: Bench, merged: dict[str, Any], param: str, stream: bool
) -> None:
    assert bench.tgi.info is not None
    bench.tgi.info["version"] = "1.4.0"
    response = bench.post(stream=stream, **merged)
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)
    assert bench.tgi.generated == []


def test_a_models_default_limit_holds_when_the_client_gives_none(bench: Bench) -> None:
    bench.register(bench.service(default_max_tokens=9))
    bench.chat()
    bench.chat(max_tokens=3)
    assert [each.parameters["max_new_tokens"] for each in bench.tgi.generated] == [9, 3]


def test_an_adapter_is_named_upstream(bench: Bench) -> None:
    bench.register(bench.service(adapter_id="lora"))
    bench.chat()
    assert bench.tgi.generated[0].parameters == {**BASE, "adapter_id": "lora"}


def test_p80_the_clients_authorization_stays_here_and_the_upstreams_own_key_is_sent(bench: Bench) -> None:
    with bench.client(api_key="mine") as client:
        client.chat.completions.create(model="m", messages=HI)  # type: ignore[arg-type]
    assert [each.header("authorization") for each in bench.tgi.asked] == [None] * len(bench.tgi.asked)
    bench.register(bench.service(upstream_api_key="tgi-key"))
    with bench.client(api_key="mine") as client:
        client.chat.completions.create(model="m", messages=HI)  # type: ignore[arg-type]
    assert bench.tgi.generated[1].header("authorization") == "Bearer tgi-key"
