"""What the callers of the API read when a request is refused, as whole messages: the place, the finding, the remedy."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.gateway.keys import ALL, secret
from tests.gateway.scripted_tgi import failure, hang_up, reply
from tests.gateway.serving import HI, Bench

TOOL = {"type": "function", "function": {"name": "f"}}


def named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


@pytest.mark.parametrize(
    ("merged", "message"),
    [
        ({"temperature": 2.5}, "temperature: found 2.5; use a number from 0 to 2"),
        ({"stream": "yes"}, "stream: found the string 'yes'; use true or false"),
        ({"n": 9}, "n: found 9; use an integer from 1 to 8"),
        ({"seed": None, "stop": ["a"] * 33}, "stop: found a list; use at most 32 strings"),
        ({"stop": ""}, "stop: found the string ''; use strings that are not empty"),
        ({"typical_p": 0}, "typical_p: found 0; use a number above 0"),
        (
            {"max_tokens": 5, "max_completion_tokens": 6},
            "max_tokens is 5, but max_completion_tokens is 6; send one, or the same value in both",
        ),
        (
            {"stream_options": {"include_usage": True}},
            "stream_options needs stream; set stream to true, or leave stream_options out",
        ),
        ({"top_logprobs": 2}, "top_logprobs needs logprobs; set logprobs to true, or leave top_logprobs out"),
        (
            {"add_generation_prompt": True, "continue_final_message": True},
            "add_generation_prompt and continue_final_message are both true; set only one of them",
        ),
        (
            {"presence_penalty": 0.5},
            "presence_penalty is not supported here: the upstream does not have it; use frequency_penalty, which is "
            "similar",
        ),
        (
            {"web_search_options": {}},
            "web_search_options is not supported here: the gateway does not search the web; leave it out",
        ),
        (
            {"tools": [named("a b")]},
            "tools[0].function.name: found the string 'a b'; use 1 to 64 of the characters a-z, A-Z, 0-9, _ and -",
        ),
        (
            {"tools": [TOOL, TOOL]},
            "tools[1].function.name: found the string 'f'; use a name that no other function of the request has",
        ),
        ({"tools": [TOOL] * 129}, "tools: found a list; use at most 128 tools"),
        (
            {"tools": [{"type": "custom"}]},
            "tools[0].type: found the string 'custom'; use 'function', because other tools are not supported here",
        ),
        (
            {"tool_choice": "required"},
            "tool_choice: found the string 'required'; use 'none' or 'auto' where there are no tools",
        ),
        (
            {"tools": [TOOL], "tool_choice": named("g")},
            "tool_choice.function.name: found the string 'g'; use the name of one of the tools",
        ),
        (
            {"response_format": {"type": "xml"}},
            "response_format.type: found the string 'xml'; use text, json_schema, json_object, json or regex",
        ),
        ({"messages": None}, "messages: found null; use a list of messages"),
        ({"messages": []}, "messages must have at least one message"),
        (
            {"messages": [{"role": "wizard", "content": "x"}]},
            "messages[0].role 'wizard' is not a role; use one of assistant, developer, system, tool, user",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            "messages[0].content part 0: this model takes no images",
        ),
        (
            {"chat_template_kwargs": {"tools": 1}},
            "chat_template_kwargs cannot set 'tools', which the gateway sets itself",
        ),
    ],
)
def test_a_refused_field_is_named_with_what_to_do(bench: Bench, merged: dict[str, Any], message: str) -> None:
    response = bench.post(**merged)
    assert (response.status_code, response.json()["error"]["message"]) == (400, message)


@pytest.mark.parametrize(
    ("path", "headers", "body", "status", "message"),
    [
        (
            "/v1/chat/completions",
            {},
            {"model": "m", "messages": HI},
            401,
            "the request has no API key; send it in the header 'Authorization: Bearer <key>'",
        ),
        (
            "/v1/chat/completions",
            {"authorization": "Bearer wrong"},
            {"model": "m", "messages": HI},
            401,
            "the API key is not known here; check it, or ask the person who runs the gateway for a key",
        ),
        (
            "/v1/chat/completions",
            {"authorization": f"Bearer {secret('all')}"},
            {"model": "x"},
            404,
            "the model 'x' does not exist here, or you cannot use it; GET /v1/models lists the models that you can use",
        ),
        (
            "/v1/nothing",
            {"authorization": f"Bearer {secret('all')}"},
            {},
            404,
            "the route '/v1/nothing' does not exist; use /v1/models, /v1/chat/completions, /v1/completions, "
            "/v1/responses, /v1/messages, or a run's own routes under /services/<run>/",
        ),
        (
            "/services/nobody/",
            {"authorization": f"Bearer {secret('all')}"},
            {},
            404,
            "the run 'nobody' does not exist here, or you cannot use it; check the name and the API key",
        ),
    ],
)
def test_a_caller_who_is_turned_away_reads_why(
    bench: Bench, path: str, headers: dict[str, str], body: dict[str, Any], status: int, message: str
) -> None:
    bench.register(bench.service(auth=True), keys=(ALL,))
    response = httpx.post(bench.url + path, headers=headers, json=body)
    assert (response.status_code, response.json()["error"]["message"]) == (status, message)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (reply(413, ""), "the prompt is larger than the upstream allows; shorten it"),
        (failure(429, "", "overloaded"), "the model is overloaded; try again shortly"),
        (reply(404, ""), "the run's replica answered 404: the address or the key in the run's record is wrong"),
        (reply(503, "<html>"), "no replica of this run is up; try again shortly"),
        (reply(504, "<html>"), "the upstream did not answer in time; set stream=true for long answers"),
        (reply(200, "<html>"), "the upstream sent something that is not an answer of TGI"),
        (hang_up, "the run's replica closed the connection before it answered"),
    ],
)
def test_a_failure_of_the_upstream_says_what_it_means(bench: Bench, script: Any, message: str) -> None:
    bench.tgi.usual = script
    assert bench.post().json()["error"]["message"] == message
