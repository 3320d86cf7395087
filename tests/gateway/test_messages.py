"""Messages and templates through the whole gateway: P36 to P48."""

from __future__ import annotations

import time
from typing import Any

import openai
import pytest

from tests.gateway.serving import Bench

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def text(value: str) -> dict[str, str]:
    return {"type": "text", "text": value}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}
CALLS = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}{{ m.name }}"
    "{% for c in m.tool_calls %}{{ c.function.arguments | tojson }}{% endfor %}{% endfor %}"
)

RENDERED: list[tuple[str, dict[str, Any], list[dict[str, Any]], str]] = [
    ("P36", {}, [user([text("a"), text("b")])], "[user]a\nb</s>[assistant]"),
    (
        "P38",
        {"vision": True},
        [user([text("see "), IMAGE])],
        "[user]see ![](data:image/png;base64,AAAA)</s>[assistant]",
    ),
    ("P40", {}, [{"role": "developer", "content": "d"}, user("Hi")], "[system]d</s>[user]Hi</s>[assistant]"),
    ("P41", {}, [user("Hi"), {"role": "assistant", "content": "The"}], "[user]Hi</s>[assistant]The"),
    (
        "P41-new-turn",
        {"prefill": "new_turn"},
        [user("Hi"), {"role": "assistant", "content": "The"}],
        "[user]Hi</s>[assistant]The</s>[assistant]",
    ),
    (
        "P42",
        {"chat_template": CALLS},
        [
            user("Hi"),
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "c1", "content": "r"},
        ],
        '[user]Hi[assistant]{"x": 1}[tool]rf',
    ),
    (
        "P45",
        {"chat_template": "{{ bos_token + '[INST] ' + messages[0]['content'] + ' [/INST]' }}"},
        [user("Hi")],
        "[INST] Hi [/INST]",
    ),
    (
        "P46-loop",
        {
            "chat_template": "{% for m in messages %}{% if loop.index0 == 1 %}{% continue %}{% endif %}{{ m.content }}"
            "{% if loop.index0 == 2 %}{% break %}{% endif %}{% endfor %}"
        },
        [user("a"), user("b"), user("c"), user("d")],
        "ac",
    ),
    ("P46-generation", {"chat_template": "{% generation %}x{% endgeneration %}y"}, [user("a")], "xy"),
    ("P46-tojson", {"chat_template": "{{ messages[0].content | tojson }}"}, [user("<é'>")], '"<é\'>"'),
    ("P46-tools", {"chat_template": "{% if tools is not none %}T{% endif %}n"}, [user("a")], "n"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "messages", "inputs"), [row[1:] for row in RENDERED], ids=[row[0] for row in RENDERED]
)
def test_messages_become_the_prompt_that_the_template_makes(
    bench: Bench, fields: dict[str, Any], messages: list[dict[str, Any]], inputs: str
) -> None:
    bench.register(bench.service(**fields))
    assert bench.chat(messages=messages).choices[0].message.content == "Hello world"
    assert [each.json["inputs"] for each in bench.tgi.generated] == [inputs]


def test_p46_the_time_is_the_gateways(bench: Bench) -> None:
    bench.register(bench.service(chat_template="{{ strftime_now('%Y') }}"))
    years = [time.strftime("%Y")]
    bench.chat()
    years.append(time.strftime("%Y"))
    assert bench.tgi.generated[0].json["inputs"] in years


REFUSED: list[tuple[str, dict[str, Any], Any, str, str]] = [
    ("P37-image", {}, [user([IMAGE])], "messages[0].content", "unsupported_value"),
    ("P37-audio", {}, [user([{"type": "input_audio", "input_audio": {}}])], "messages[0].content", "unsupported_value"),
    ("P39-none", {}, [], "messages", "invalid_value"),
    ("P39-role", {}, [{"role": "wizard", "content": "x"}], "messages[0].role", "invalid_value"),
    ("P39-lacks", {}, [{"role": "user"}], "messages[0].content", "invalid_type"),
    ("missing", {}, None, "messages", "invalid_type"),
    (
        "P47-raises",
        {"chat_template": "{{ raise_exception('roles must alternate') }}"},
        [user("a")],
        "messages",
        "chat_template_error",
    ),
    ("a BOS alone", {"chat_template": "{{ bos_token }}"}, [user("a")], "messages", "invalid_value"),
    ("P47-adds", {"chat_template": "{{ 'a' + 1 }}"}, [user("a")], "messages", "chat_template_error"),
    ("empty", {"chat_template": "{# nothing #}"}, [user("a")], "messages", "invalid_value"),
]


@pytest.mark.parametrize(
    ("fields", "messages", "param", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_messages_that_cannot_be_rendered_are_refused(
    bench: Bench, fields: dict[str, Any], messages: Any, param: str, code: str
) -> None:
    bench.register(bench.service(**fields))
    with pytest.raises(openai.BadRequestError) as refused:
        bench.chat(messages=messages)
    assert (refused.value.param, refused.value.code) == (param, code)
    if "raise_exception" in str(fields):
        assert "roles must alternate" in refused.value.message
    assert bench.tgi.generated == []


def test_template_variables_come_from_the_request(bench: Bench) -> None:
    bench.register(bench.service(chat_template="{{ reasoning_effort }}-{{ enable_thinking }}"))
    bench.chat(reasoning_effort="low", chat_template_kwargs={"enable_thinking": False})
    assert bench.tgi.generated[0].json["inputs"] == "low-False"


def test_the_ending_of_the_prompt_can_be_chosen(bench: Bench) -> None:
    bench.chat(add_generation_prompt=False)
    bench.chat(messages=[user("Hi"), {"role": "assistant", "content": "x"}], continue_final_message=True)
    bench.chat(messages=[user("Hi"), {"role": "assistant", "content": "x"}], add_generation_prompt=True)
    assert [each.json["inputs"] for each in bench.tgi.generated] == [
        "[user]Hi</s>",
        "[user]Hi</s>[assistant]x",
        "[user]Hi</s>[assistant]x</s>[assistant]",
    ]
