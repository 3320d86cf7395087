"""Legacy completions: P78, and docs/translation.md#legacy-completions."""

from __future__ import annotations

from typing import Any

import httpx
import openai
import pytest

from tests.gateway.scripted_tgi import Asked, Write, answer, token
from tests.gateway.serving import Bench, read_events
from tests.gateway.test_choices import scored

BASE = {
    "do_sample": True,
    "max_new_tokens": 16,
    "stop": [],
    "details": True,
    "return_full_text": False,
    "decoder_input_details": False,
}


def complete(bench: Bench, prompt: Any = "x", **merged: Any) -> Any:
    with bench.client() as client:
        return client.completions.create(model="m", prompt=prompt, extra_body=merged)


def stream(bench: Bench, **merged: Any) -> list[Any]:
    body = {"model": "m", "prompt": "x", "stream": True, **merged}
    response = bench.post(body, path="/v1/completions")
    assert response.status_code == 200, response.text
    return read_events(response.text)


def test_p78_a_prompt_goes_as_it_is(bench: Bench) -> None:
    found = complete(bench, "<s>x")
    assert [(each.path, each.json) for each in bench.tgi.generated] == [
        ("/generate", {"inputs": "<s>x", "parameters": BASE})
    ]
    assert found.id.startswith("cmpl-")
    assert (found.object, found.model) == ("text_completion", "m")
    assert found.choices[0].model_dump() == {
        "index": 0,
        "text": "Hello world",
        "logprobs": None,
        "finish_reason": "stop",
    }
    assert (found.usage.prompt_tokens, found.usage.completion_tokens) == (7, 4)


@pytest.mark.parametrize(
    "field",
    [
        {"response_format": {"type": "regex", "value": "[0-9]+"}},
        {"grammar": {"type": "regex", "value": "[0-9]+"}},
        {"guided_regex": "[0-9]+"},
        {"structured_outputs": {"regex": "[0-9]+"}},
    ],
)
def test_an_answer_can_have_a_format(bench: Bench, field: dict[str, Any]) -> None:
    grammar = {"type": "regex", "value": "[0-9]+"}
    complete(bench, **field)
    stream(bench, **field)
    assert [each.json["parameters"] for each in bench.tgi.generated] == [{**BASE, "grammar": grammar}] * 2


def test_a_format_that_is_wrong_is_refused_before_anything_is_asked(bench: Bench) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        complete(bench, response_format={"type": "xml"})
    assert (refused.value.param, refused.value.code) == ("response_format.type", "unsupported_value")
    assert bench.tgi.generated == []


ALLOWED = "![](https://Images.example/a.png) ![](data:image/png;base64,AAAA)![](http://other.example:8443/b) ![](open"


@pytest.mark.parametrize(
    "image",
    [
        "![](http://169.254.169.254/latest/meta-data)",
        "![](https://images.example.evil/a)",
        "![](https://images.example@evil/a)",
        "![](http://images.example:8080/a)",
        "![]( https://images.example/a)",
        "![](file:///etc/passwd)",
        "![](https://evil/\n)",
        "![](data:text/html;base64,AAAA)",
        "![]()",
        "![](![](http://evil/)",
        "!![](http://evil/)",
    ],
)
def test_a_prompt_s_images_are_held_to_the_same_hosts_as_those_of_messages(bench: Bench, image: str) -> None:
    bench.register(bench.service(vision=True, image_hosts=["images.Example", "other.example:8443"]))
    for prompt in (image, f"{ALLOWED}) {image}", ["x", f"a{image}b"]):
        with pytest.raises(openai.BadRequestError) as refused:
            complete(bench, prompt)
        assert (refused.value.code, refused.value.param) == ("invalid_value", "prompt")
    assert bench.tgi.generated == []
    complete(bench, ALLOWED)
    assert [asked.json["inputs"] for asked in bench.tgi.generated] == [ALLOWED]


def test_without_vision_an_image_in_a_prompt_is_text(bench: Bench) -> None:
    complete(bench, "![](http://evil/)")
    assert [asked.json["inputs"] for asked in bench.tgi.generated] == ["![](http://evil/)"]


def test_p78_prompts_and_choices_are_numbered_through(bench: Bench) -> None:
    async def script(asked: Asked, write: Write) -> None:
        await answer(asked.json["inputs"], str(asked.parameters["seed"]), "</s>*")(asked, write)

    bench.tgi.usual = script
    found = complete(bench, ["a", "b"], n=2, seed=1)
    assert [(choice.index, choice.text) for choice in found.choices] == [(0, "a1"), (1, "a2"), (2, "b1"), (3, "b2")]
    assert (found.usage.prompt_tokens, found.usage.completion_tokens) == (14, 12)
    parts: dict[int, str] = {}
    for each in stream(bench, prompt=["a", "b"], n=2, seed=1)[:-1]:
        (choice,) = each["choices"]
        parts[choice["index"]] = parts.get(choice["index"], "") + choice["text"]
    assert parts == {0: "a1", 1: "a2", 2: "b1", 3: "b2"}


def test_p78_an_echo_puts_the_prompt_first(bench: Bench) -> None:
    assert complete(bench, echo=True).choices[0].text == "xHello world"
    assert [each["choices"][0]["text"] for each in stream(bench, echo=True)[:-1]] == ["x", "Hel", "lo", " world", ""]


def test_p78_a_stream_has_chunks_of_its_own_shape(bench: Bench) -> None:
    found = stream(bench, stream_options={"include_usage": True})
    assert {each["object"] for each in found[:-1]} == {"text_completion"}
    assert [each["choices"] for each in found[:-2]] == [
        [{"index": 0, "text": text, "logprobs": None, "finish_reason": finish}]
        for text, finish in (("Hel", None), ("lo", None), (" world", None), ("", "stop"))
    ]
    assert (found[-2]["choices"], found[-2]["usage"]["total_tokens"], found[-1]) == ([], 11, "[DONE]")
    with bench.client() as client:
        chunks = client.completions.create(model="m", prompt="x", stream=True)
        assert "".join(chunk.choices[0].text for chunk in chunks) == "Hello world"


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"prompt": [1, 2]}, "prompt"),
    ({"prompt": [[1, 2]]}, "prompt"),
    ({"prompt": ""}, "prompt"),
    ({"prompt": None}, "prompt"),
    ({"prompt": []}, "prompt"),
    ({"prompt": ["a", ""]}, "prompt"),
    ({"prompt": ["a"] * 65}, "prompt"),
    ({"prompt": 5}, "prompt"),
    ({"suffix": "s"}, "suffix"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": 4294967296}, "max_tokens"),
    ({"logprobs": 6}, "logprobs"),
    ({"logprobs": True}, "logprobs"),
    ({"echo": True, "logprobs": 1}, "echo"),
    ({"n": 2, "best_of": 1}, "best_of"),
    ({"best_of": 2, "stream": True}, "best_of"),
    ({"best_of": 9}, "best_of"),
    ({"n": 9}, "n"),
    ({"temperature": 3}, "temperature"),
    ({"stream_options": {}}, "stream_options"),
]


@pytest.mark.parametrize(("merged", "param"), REFUSED)
def test_what_cannot_be_served_is_refused(bench: Bench, merged: dict[str, Any], param: str) -> None:
    response = bench.post({"model": "m", "prompt": "x", **merged}, path="/v1/completions")
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)
    assert bench.tgi.generated == []


def test_fields_are_those_of_chat(bench: Bench) -> None:
    complete(bench, suffix="", temperature=0.5, stop="END", max_tokens=3, user="u", logit_bias={})
    assert bench.tgi.generated[0].parameters == {**BASE, "temperature": 0.5, "stop": ["END"], "max_new_tokens": 3}


def test_only_control_tokens_end_an_answer_by_themselves(bench: Bench) -> None:
    bench.tgi.usual = answer("a</s>b", "</s>*", "c", finish="length")
    assert complete(bench).choices[0].text == "a</s>b"


@pytest.mark.parametrize("streamed", [False, True])
def test_logprobs_are_lists_side_by_side(bench: Bench, streamed: bool) -> None:
    bench.tgi.usual = scored("Hel", "lo", "</s>*")
    if streamed:
        found = [each["choices"][0]["logprobs"] for each in stream(bench, logprobs=2)[:-2]]
        logprobs = {key: [item for each in found for item in each[key]] for key in found[0]}
    else:
        logprobs = complete(bench, logprobs=2).choices[0].logprobs.model_dump()
    assert logprobs == {
        "tokens": ["Hel", "lo"],
        "token_logprobs": [-9999.0, -0.25],
        "top_logprobs": [{"Hel": -9999.0, "other": -2.0}, {"lo": -0.25, "other": -2.0}],
        "text_offset": [0, 3],
    }
    assert bench.tgi.generated[0].parameters["top_n_tokens"] == 2


def test_the_likeliest_of_several_are_given(bench: Bench) -> None:
    async def script(asked: Asked, write: Write) -> None:
        seed = asked.parameters["seed"]
        details = {
            "finish_reason": "length",
            "generated_tokens": 1,
            "tokens": [token(str(seed), logprob=-abs(seed - 2.0) - 0.1)],
        }
        body = httpx.Response(200, json={"generated_text": str(seed), "details": details}).content
        head = b"HTTP/1.1 200 OK\r\nx-prompt-tokens: 2\r\ncontent-length: %d\r\n\r\n" % len(body)
        await write(head + body)

    bench.tgi.usual = script
    found = complete(bench, best_of=4, n=2, seed=0)
    assert (found.choices[0].text, len(found.choices)) == ("2", 2)
    assert found.usage.completion_tokens == 4


def test_completions_errors_are_the_interfaces_own(bench: Bench) -> None:
    with bench.client() as client, pytest.raises(openai.NotFoundError):
        client.completions.create(model="nope", prompt="x")
