"""A model's reasoning reaches clients apart from its answer, whole and streamed (docs/translation.md#reasoning)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.scripted_tgi import answer
from tests.gateway.serving import Bench

OPENS = (
    "[{{ messages[-1].content }}]{% if add_generation_prompt %}<think>\n"
    "{% if off %}\n</think>\n\n{% endif %}{% endif %}"
)
NAMES = (
    "{% set said = messages[0].content.split('</think>')[-1] %}"
    "{% if tools %}{{ tools | tojson }}{% endif %}[{{ said }}]"
)
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "f", "parameters": {"type": "object", "properties": {}}},
}
CALL = '<tool_call>{"name": "f", "arguments": {}}</tool_call>'
ASK = [{"role": "user", "content": "Hi"}]


def parts(bench: Bench, streamed: bool, **merged: Any) -> tuple[str, str, list[str], str]:
    """The reasoning, the content, the names of calls, and the finish reason."""
    if streamed:
        choices = [event["choices"][0] for event in bench.events(**merged) if event != "[DONE]"]
        messages = [choice["delta"] for choice in choices]
        finish = choices[-1]["finish_reason"]
    else:
        choice = bench.post(**merged).json()["choices"][0]
        messages, finish = [choice["message"]], choice["finish_reason"]
    calls = [call["function"].get("name") for message in messages for call in message.get("tool_calls", ())]
    return (
        "".join(message.get("reasoning_content", "") for message in messages),
        "".join(message.get("content") or "" for message in messages),
        [name for name in calls if name],
        finish,
    )


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("template", "tokens", "merged", "expected"),
    [
        (NAMES, ["<think>", "Hm", ".", "</think>", "\n\n", "No.", "</s>*"], {}, ("Hm.", "No.", [], "stop")),
        (NAMES, ["No ", "<think>", "x", "</s>*"], {}, ("", "No <think>x", [], "stop")),
        (OPENS, ["Hm.", "\n</think>", "No.", "</s>*"], {}, ("Hm.", "No.", [], "stop")),
        (OPENS, ["No.", "</s>*"], {"chat_template_kwargs": {"off": True}}, ("", "No.", [], "stop")),
        (OPENS, ["Hm", "."], {"max_tokens": 2}, ("Hm.", "", [], "length")),
        (OPENS, ['{"a"', ": 1}", "</s>*"], {"guided_json": {"type": "object"}}, ("", '{"a": 1}', [], "stop")),
        ("[{{ messages[0].content }}]", ["<think>", "x", "</s>*"], {}, ("", "<think>x", [], "stop")),
        (
            NAMES,
            ["<think>", CALL, "</think>", CALL, "</s>*"],
            {"tools": [TOOL]},
            (CALL, "", ["f"], "tool_calls"),
        ),
        ("[THINK]" + NAMES, ["[THINK]*", "Hm.", "[/THINK]*", "No.", "</s>*"], {}, ("Hm.", "No.", [], "stop")),
        ("[THINK][{{ 1 }}]", ["[THINK]*", "Hm.", "[/THINK]*", "No.", "</s>*"], {}, ("Hm.", "No.", [], "stop")),
    ],
)
def test_reasoning_is_apart_from_the_answer(
    bench: Bench,
    streamed: bool,
    template: str,
    tokens: list[str],
    merged: dict[str, Any],
    expected: tuple[str, str, list[str], str],
) -> None:
    bench.register(bench.service(chat_template=template))
    bench.tgi.usual = answer(*tokens, finish="length" if "max_tokens" in merged else "eos_token")
    assert parts(bench, streamed, **merged) == expected


def test_a_whole_message_has_both_and_a_stream_has_one_field_for_each_piece(bench: Bench) -> None:
    bench.register(bench.service(chat_template=OPENS))
    bench.tgi.usual = answer("Hm.", "</think>", "No", ".", "</s>*")
    assert bench.post().json()["choices"][0]["message"] == {
        "role": "assistant",
        "content": "No.",
        "refusal": None,
        "reasoning_content": "Hm.",
    }
    assert [event["choices"][0]["delta"] for event in bench.events() if event != "[DONE]"] == [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "Hm."},
        {"content": "No"},
        {"content": "."},
        {},
    ]


def test_an_answer_that_is_continued_has_no_reasoning_unless_its_beginning_does(bench: Bench) -> None:
    bench.register(bench.service(chat_template=NAMES))
    bench.tgi.usual = answer("a</think>", "b", "</s>*")
    begun = [*ASK, {"role": "assistant", "content": "<think>"}]
    template = "{% for m in messages %}{{ m.content }}{% endfor %}{# <think> #}"
    bench.register(bench.service(chat_template=template))
    for messages, expected in (
        (begun, ("a", "b")),
        ([*ASK, {"role": "assistant", "content": "So"}], ("", "a</think>b")),
    ):
        message = bench.post({"model": "m", "messages": messages}).json()["choices"][0]["message"]
        assert (message.get("reasoning_content", ""), message["content"]) == expected
