"""Several choices, log-probabilities, response formats, tools: P25 to P35, and related cases."""

from __future__ import annotations

import json
from typing import Any

import openai
import pydantic
import pytest

from gateway_lambda.tools.json_object import JSON_OBJECT
from tests.gateway.scripted_tgi import Asked, Script, Write, answer, event_bytes, reply, stream, token
from tests.gateway.serving import HI, Bench

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
TOOL = {
    "type": "function",
    "function": {"name": "f", "parameters": {"type": "object", "properties": {"x": {"type": "integer"}}}},
}


def test_p25_choices_are_separate_calls(bench: Bench) -> None:
    async def script(asked: Asked, write: Write) -> None:
        await answer(str(asked.parameters["seed"]), "x", "y", "</s>*")(asked, write)

    bench.tgi.usual = script
    completion = bench.chat(n=3, seed=5)
    assert [(choice.index, choice.message.content) for choice in completion.choices] == [
        (0, "5xy"),
        (1, "6xy"),
        (2, "7xy"),
    ]
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (7, 12)
    assert [(each.path, "best_of" in each.parameters) for each in bench.tgi.generated] == [("/generate", False)] * 3


@pytest.mark.parametrize(("seed", "seeds"), [(10, [10, 11]), (-1, [2**64 - 1, 0])])
def test_p26_each_choice_has_the_next_seed(bench: Bench, seed: int, seeds: list[int]) -> None:
    bench.chat(n=2, seed=seed)
    assert sorted(each.parameters["seed"] for each in bench.tgi.generated) == sorted(seeds)


@pytest.mark.parametrize("n", [0, 9, True, "2"])
def test_p27_the_number_of_choices_is_bounded(bench: Bench, n: Any) -> None:
    response = bench.post(n=n)
    assert (response.status_code, response.json()["error"]["param"]) == (400, "n")
    assert bench.tgi.generated == []


def scored(*texts: str, stop: str = "eos_token") -> Script:
    """Tokens that carry three likely ones each, one more than asked for, as on ties."""
    tokens = [token(text, number, logprob=-0.25 * number or None) for number, text in enumerate(texts)]
    tops = [[each, token("other", 9, -2.0), token("tie", 8, -2.0)] for each in tokens]
    details = {"finish_reason": stop, "generated_tokens": len(tokens), "input_length": 7}
    found = [
        event_bytes(
            {
                "index": number + 1,
                "token": each,
                "top_tokens": top,
                "generated_text": None,
                "details": details if each is tokens[-1] else None,
            }
        )
        for number, (each, top) in enumerate(zip(tokens, tops, strict=True))
    ]
    whole = {
        "generated_text": "".join(each["text"] for each in tokens if not each["special"]),
        "details": {**details, "prefill": [], "tokens": tokens, "top_tokens": tops},
    }

    async def script(asked: Asked, write: Write) -> None:
        if asked.path.endswith("_stream"):
            await stream(*found)(asked, write)
        else:
            await reply(200, json.dumps(whole), **{"x-prompt-tokens": "7"})(asked, write)

    return script


def logprobs(bench: Bench, streamed: bool, **merged: Any) -> list[Any]:
    if not streamed:
        return bench.post(logprobs=True, **merged).json()["choices"][0]["logprobs"]["content"]
    found = [each["choices"][0]["logprobs"] for each in bench.events(logprobs=True, **merged)[:-1]]
    return [entry for each in found if each is not None for entry in each["content"]]


@pytest.mark.parametrize("streamed", [False, True])
def test_p29_shown_tokens_have_logprobs(bench: Bench, streamed: bool) -> None:
    bench.tgi.usual = scored("Hel", "lo", " wörld", "</s>*")

    def entry(text: str, logprob: float) -> dict[str, Any]:
        return {"token": text, "logprob": logprob, "bytes": list(text.encode())}

    assert logprobs(bench, streamed, top_logprobs=2) == [
        {**entry(text, logprob), "top_logprobs": [entry(text, logprob), entry("other", -2.0)]}
        for text, logprob in (("Hel", -9999.0), ("lo", -0.25), (" wörld", -0.5))
    ]
    assert bench.tgi.generated[0].parameters["top_n_tokens"] == 2
    assert [each["top_logprobs"] for each in logprobs(bench, streamed)] == [[], [], []]
    assert "top_n_tokens" not in bench.tgi.generated[1].parameters


@pytest.mark.parametrize("streamed", [False, True])
def test_p29_what_a_stop_cuts_off_has_no_logprobs(bench: Bench, streamed: bool) -> None:
    bench.tgi.usual = scored("A", "#", "B", "", "#", "##", "C", stop="length")
    found = logprobs(bench, streamed, stop=["###"])
    assert [(each["token"], each["bytes"]) for each in found] == [("A", [65]), ("#", [35]), ("B", [66]), ("", None)]


def test_p30_top_logprobs_are_clamped_and_checked(bench: Bench) -> None:
    bench.tgi.usual = scored("a", "</s>*")
    bench.chat(logprobs=True, top_logprobs=20)
    assert bench.tgi.generated[0].parameters["top_n_tokens"] == 5
    for merged in ({"top_logprobs": 2}, {"logprobs": True, "top_logprobs": 21}, {"logprobs": 1}):
        assert bench.post(**merged).status_code == 400
    assert len(bench.tgi.generated) == 1


class Answer(pydantic.BaseModel):
    a: str


def test_p31_a_schema_becomes_a_grammar_and_the_answer_parses(bench: Bench) -> None:
    bench.tgi.usual = answer('{"a": "b"}', "</s>*")
    with bench.client() as client:
        parsed = client.chat.completions.parse(model="m", messages=HI, response_format=Answer)  # type: ignore[arg-type]
    assert parsed.choices[0].message.parsed == Answer(a="b")
    sent = bench.tgi.generated[0].parameters
    assert (sent["grammar"]["type"], sent["grammar"]["value"]["properties"].keys()) == ("json", {"a": None}.keys())
    assert sent["max_new_tokens"] == 1024
    bench.chat(response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}, max_tokens=9)
    assert bench.tgi.generated[1].parameters["max_new_tokens"] == 9


FORMATS: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "P32",
        {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object", "required": ["a"]}}},
        "response_format.json_schema.schema",
        "invalid_value",
    ),
    ("unknown", {"type": "xml"}, "response_format.type", "unsupported_value"),
]


@pytest.mark.parametrize(("given", "param", "code"), [row[1:] for row in FORMATS], ids=[row[0] for row in FORMATS])
def test_p32_formats_that_cannot_be_had_are_refused(bench: Bench, given: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        bench.chat(response_format=given)
    assert (refused.value.param, refused.value.code) == (param, code)
    assert bench.tgi.generated == []


def test_p33_p34_text_and_regular_expressions(bench: Bench) -> None:
    bench.chat(response_format={"type": "text"})
    bench.chat(response_format={"type": "regex", "value": "[0-9]+"})
    assert [each.parameters.get("grammar") for each in bench.tgi.generated] == [
        None,
        {"type": "regex", "value": "[0-9]+"},
    ]
    bench.chat(response_format={"type": "json_object"})
    assert bench.tgi.generated[2].parameters["grammar"] == {"type": "regex", "value": JSON_OBJECT}
    bench.register(bench.service(json_object="reject"))
    with pytest.raises(openai.BadRequestError) as refused:
        bench.chat(response_format={"type": "json_object"})
    assert (refused.value.param, refused.value.code) == ("response_format", "unsupported_value")


@pytest.mark.parametrize(
    ("merged", "param"),
    [
        ({"response_format": {"type": "regex", "value": "("}}, "response_format"),
        ({"tools": [TOOL], "tool_choice": "required"}, "tools"),
        ({}, None),
    ],
)
def test_a_grammar_that_the_upstream_cannot_compile_is_the_requests_fault(
    bench: Bench, merged: dict[str, Any], param: str | None
) -> None:
    error = {"error": "Input validation error: grammar is not valid: unbalanced", "error_type": "validation"}
    bench.tgi.usual = reply(422, json.dumps(error))
    assert bench.post(**merged).json()["error"]["param"] == param


def test_p35_tools_that_are_off(bench: Bench) -> None:
    bench.register(bench.service(tools="off"))
    for merged, param in (({"tools": [TOOL]}, "tools"), ({"tool_choice": "required"}, "tool_choice")):
        with pytest.raises(openai.BadRequestError) as refused:
            bench.chat(**merged)
        assert refused.value.param == param
    assert bench.tgi.generated == []
    bench.chat()
    bench.chat(tools=[TOOL], tool_choice="none")
    bench.chat(tools=[])
    assert {each.body for each in bench.tgi.generated} == {bench.tgi.generated[0].body}


FORCED = '{"function": {"name": "f", "arguments": {"x": 1}}}'
HERMES = '<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>'


def cut(text: str, size: int = 4) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("choice", "texts", "content"),
    [
        ("required", cut(FORCED), None),
        ({"type": "function", "function": {"name": "f"}}, cut(FORCED), None),
        ("auto", cut(HERMES), None),
        (None, ["I ", "call.", *cut(HERMES)], "I call."),
        ("auto", ["[TOOL_CALLS]*", ' [{"name": "f", ', '"arguments": {"x": 1}}]'], None),
        ("auto", cut('{"name": "f", "parameters": {"x": 1}}'), None),
    ],
)
def test_calls_of_tools_become_tool_calls(
    bench: Bench, streamed: bool, choice: Any, texts: list[str], content: str | None
) -> None:
    bench.tgi.usual = answer(*texts, "</s>*")
    merged = {"tools": [TOOL], **({} if choice is None else {"tool_choice": choice})}
    with bench.client() as client:
        if streamed:
            with client.chat.completions.stream(model="m", messages=HI, extra_body=merged) as events:  # type: ignore[arg-type]
                completion: Any = events.get_final_completion()
        else:
            completion = client.chat.completions.create(model="m", messages=HI, extra_body=merged)  # type: ignore[arg-type]
    found = completion.choices[0]
    assert (found.finish_reason, (found.message.content or "").strip() or None) == ("tool_calls", content)
    (call,) = found.message.tool_calls
    assert (call.type, call.function.name, json.loads(call.function.arguments)) == ("function", "f", {"x": 1})
    assert call.id.startswith("call_")
    grammar = bench.tgi.generated[0].parameters.get("grammar")
    assert (grammar is not None) == (choice not in (None, "auto"))


def test_a_streamed_calls_deltas_have_openais_shape(bench: Bench) -> None:
    bench.tgi.usual = answer(*cut(FORCED), "</s>*")
    found = bench.events(tools=[TOOL], tool_choice="required")
    deltas = [each["choices"][0]["delta"] for each in found[:-1]]
    assert deltas[0] == {"role": "assistant", "content": ""}
    first = deltas[1]["tool_calls"][0]
    assert (first["index"], first["type"], first["function"]) == (0, "function", {"name": "f", "arguments": ""})
    assert "".join(each["tool_calls"][0]["function"]["arguments"] for each in deltas[2:-1]) == '{"x": 1}'
    assert (deltas[-1], found[-2]["choices"][0]["finish_reason"]) == ({}, "tool_calls")


@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_without_calls_is_content(bench: Bench, streamed: bool) -> None:
    bench.tgi.usual = answer("a <b> ", "c", "</s>*")
    if streamed:
        found = bench.events(tools=[TOOL])
        text = "".join(each["choices"][0]["delta"].get("content", "") for each in found[:-1])
        assert (text, found[-2]["choices"][0]["finish_reason"]) == ("a <b> c", "stop")
    else:
        found = bench.chat(tools=[TOOL]).choices[0]
        assert (found.message.content, found.message.tool_calls, found.finish_reason) == ("a <b> c", None, "stop")


def test_tools_reach_the_template_and_none_of_them_with_none(bench: Bench) -> None:
    template = "{% if tools %}{{ tools | tojson }}{% endif %}[{{ messages[0].content }}]"
    bench.register(bench.service(chat_template=template))
    bench.chat(tools=[TOOL])
    bench.chat()
    assert [each.json["inputs"] for each in bench.tgi.generated] == [json.dumps([TOOL]) + "[Hi]", "[Hi]"]


def test_one_call_at_a_time_ends_the_upstreams_work(bench: Bench) -> None:
    bench.tgi.usual = answer(*cut(HERMES), *cut(HERMES), "</s>*")
    found = bench.events(tools=[TOOL], parallel_tool_calls=False)
    calls = [call for each in found[:-1] for call in each["choices"][0]["delta"].get("tool_calls", [])]
    assert [call["function"]["name"] for call in calls if "name" in call["function"]] == ["f"]
    assert found[-2]["choices"][0]["finish_reason"] == "tool_calls"
