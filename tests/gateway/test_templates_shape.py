"""Which form of messages a template gets: trials with the template decide, and each branch gets what it prints."""

from __future__ import annotations

import time
from typing import Any

import pytest

from gateway_lambda.registry.record import Model
from gateway_lambda.templates import ChatTemplate, TemplateLimit, compile_template
from gateway_lambda.templates.shape_trials import MAX_TRIAL_SECONDS


def chat(source: str) -> ChatTemplate:
    return ChatTemplate(Model(name="m", chat_template=source, prefill="new_turn"))


def call(arguments: Any = "{}", **fields: Any) -> dict[str, Any]:
    return {"id": "c1", "type": "function", "function": {"name": "f", "arguments": arguments}, **fields}


CONTENT = "{% for m in messages %}{% set c = m['content'] %}"
LOOP = "{% for p in c %}{{ p.text }}{% endfor %}"


@pytest.mark.parametrize(
    ("source", "prompt"),
    [
        (CONTENT + "{{ c }}{% endfor %}", "a\nbc"),
        (CONTENT + "{% if c is string %}{{ c }}{% endif %}{% endfor %}", "a\nbc"),
        (CONTENT + "{% if c is string %}{{ c }}{% else %}{{ c | tojson }}{% endif %}{% endfor %}", "a\nbc"),
        (CONTENT + "{{ c | tojson if c is not string or c is iterable }}{% endfor %}", '"a\\nb""c"'),
        (CONTENT + "{% if c is string %}{{ c }}{% else %}" + LOOP + "{% endif %}{% endfor %}", "abc"),
        (CONTENT + LOOP + "{% endfor %}", "abc"),
        (CONTENT + "{{ c if c is string else c | map(attribute='text') | join('-') }}{% endfor %}", "a-bc"),
        (CONTENT + "{% if c is string %}{{ c }}{% else %}{{ c[0].text }}{% endif %}{% endfor %}", "a\nbc"),
        (CONTENT + "{{ c[0].text }}{% endfor %}", "ac"),
        (CONTENT + "{% if tools %}{{ c }}{% else %}" + LOOP + "{% endif %}{% endfor %}", ""),
        (
            "{% macro show(v) %}{% for p in v %}{{ p.text }}{% endfor %}{% endmacro %}{{ show(messages[0].content) }}",
            "ab",
        ),
        ("{% for l in messages[0].content.split('\n') %}{{ l }},{% endfor %}", "a,b,"),
    ],
)
def test_content_reaches_a_template_as_text_or_as_parts_whichever_it_prints(source: str, prompt: str) -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    messages = [{"role": "user", "content": parts}, {"role": "user", "content": "c"}]
    assert chat(f"{source}.").render(messages) == f"{prompt}."


def test_each_role_gets_the_content_that_its_branch_takes() -> None:
    source = (
        CONTENT + "{% if m.role == 'user' %}[u{% if c is string %}{{ c }}{% else %}" + LOOP + "{% endif %}]"
        "{% elif m.role == 'system' %}[s{{ c + '' }}]{% else %}[a" + LOOP + "]{% endif %}{% endfor %}"
    )
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    messages = [
        {"role": role, "content": content} for role in ("system", "user", "assistant") for content in (parts, "c")
    ]
    assert chat(source).render(messages) == "[sa\nb][sc][uab][uc][aab][ac]"


CALLS = "{% for m in messages %}{% for c in m.tool_calls or [] %}{{ c.function.name }}:"
TURN = {"role": "assistant", "content": None, "tool_calls": [call('{"a": "é"}')]}


@pytest.mark.parametrize(
    ("source", "prompt"),
    [
        (CALLS + "{{ c.function.arguments | tojson }}{% endfor %}{% endfor %}", 'f:{"a": "é"}'),
        (CALLS + "{{ '' + c.function.arguments }}{% endfor %}{% endfor %}", 'f:{"a": "é"}'),
        (CALLS + "{{ c.function.arguments }}{% endfor %}{% endfor %}", 'f:{"a": "é"}'),
        (
            CALLS + "{% for k, v in c.function.arguments.items() %}{{ k }}={{ v }}{% endfor %}{% endfor %}{% endfor %}",
            "f:a=é",
        ),
        (CALLS + "{{ c.function.arguments | tojson }}{% endfor %}{{ '' + m.content }}{% endfor %}", 'hf:{"a": "é"}'),
        (CALLS + "{{ c.function.arguments | tojson }}{% endfor %}{{ m.content }}{% endfor %}", 'hf:{"a": "é"}'),
        (
            "{% for m in messages %}{% if m.content is none %}{% for c in m.tool_calls %}{{ c.function.name }}:"
            "{{ c.function.arguments }}{% endfor %}{% else %}{{ '' + m.content }}{% endif %}{% endfor %}",
            'hf:{"a": "é"}',
        ),
        (
            "{% for m in messages %}{% if 'content' in m %}{{ '' + m.content }}{% else %}"
            "{% set f = m.tool_calls[0].function %}{{ f.name }}:{{ f.arguments | tojson }}{% endif %}{% endfor %}",
            'hf:{"a": "é"}',
        ),
    ],
)
@pytest.mark.parametrize("turn", [TURN, {**TURN, "content": ""}, {**TURN, "tool_calls": [call({"a": "é"})]}])
def test_a_turn_of_calls_alone_renders_whatever_the_template_does_with_content_and_arguments(
    source: str, prompt: str, turn: Any
) -> None:
    assert chat(source).render([{"role": "user", "content": "h"}, turn]) == prompt


@pytest.mark.parametrize(
    ("source", "prompt"),
    [
        (CALLS + "{{ c.function.arguments | tojson }}{% endfor %}{% endfor %}", 'f:"{\\"a\\": \\"é"'),
        (CALLS + "{{ '' + c.function.arguments }}{% endfor %}{% endfor %}", 'f:{"a": "é'),
        (
            CALLS + "{% for k, v in c.function.arguments.items() %}{{ k }}={{ v }}{% endfor %}{% endfor %}{% endfor %}",
            'f:INVALID_JSON={"a": "é',
        ),
        (
            CALLS + "{% if c.function.arguments is mapping %}{{ c.function.arguments | tojson }}{% endif %}"
            "{% endfor %}{% endfor %}",
            'f:{"INVALID_JSON": "{\\"a\\": \\"é"}',
        ),
    ],
)
def test_unfinished_arguments_are_a_text_or_in_an_object_whichever_the_template_prints(
    source: str, prompt: str
) -> None:
    turn = {**TURN, "tool_calls": [call('{"a": "é')]}
    assert chat(source).render([{"role": "user", "content": "h"}, turn]) == prompt


SYSTEM_FIRST = (
    "{% for m in messages %}{% if m.role == 'system' and not loop.first %}{{ raise_exception('first') }}{% endif %}"
    "[{{ m.role }}]"
)
SYSTEM_LOST = (
    "{% for m in messages %}{% if m.role != 'system' or loop.first %}[{{ m.role }}]{{ m.content }}{% endif %}"
    "{% endfor %}"
)
ANYWHERE = "{% for m in messages %}[{{ m.role }}]"
PRINT = "{{ m.content }}{% endfor %}"
PARTS = LOOP.replace("c %}", "m.content %}") + "{% endfor %}"


def said(*turns: str) -> list[dict[str, Any]]:
    """Messages: the first letter of each says whose it is."""
    roles = {"s": "system", "u": "user", "a": "assistant", "d": "developer"}
    return [{"role": roles[turn[0]], "content": turn} for turn in turns]


@pytest.mark.parametrize("source", [SYSTEM_FIRST + PRINT, SYSTEM_FIRST + PARTS, SYSTEM_LOST])
@pytest.mark.parametrize(
    ("turns", "prompt"),
    [
        (("s1", "u1", "a1", "u2"), "[system]s1[user]u1[assistant]a1[user]u2"),
        (("s1", "s2", "d3", "u1"), "[system]s1\n\ns2\n\nd3[user]u1"),
        (("s1", "u1", "s2"), "[system]s1[user]u1\n\ns2"),
        (("u1", "s2", "d3", "a1", "u2"), "[user]u1\n\ns2\n\nd3[assistant]a1[user]u2"),
        (("s1", "u1", "a1", "s2", "u2", "u3"), "[system]s1[user]u1[assistant]a1[user]s2\n\nu2[user]u3"),
        (("s1", "u1", "a1", "s2"), "[system]s1[user]u1[assistant]a1[user]s2"),
    ],
)
def test_a_later_system_message_is_a_part_of_the_user_s_turn_where_the_template_takes_only_a_first_one(
    source: str, turns: tuple[str, ...], prompt: str
) -> None:
    messages = said(*turns)
    assert chat(source).render(messages) == prompt
    assert messages == said(*turns)


def test_a_later_system_message_stays_where_the_template_prints_it() -> None:
    assert chat(ANYWHERE + PRINT).render(said("s1", "u1", "s2", "s3", "a1", "d4")) == (
        "[system]s1[user]u1[system]s2[system]s3[assistant]a1[system]d4"
    )


def test_a_later_system_message_that_is_empty_adds_nothing() -> None:
    messages = [*said("s1", "u1"), {"role": "system", "content": None}]
    assert chat(SYSTEM_FIRST + PRINT).render(messages) == "[system]s1[user]u1"


def test_ids_become_nine_letters_and_digits_where_the_template_demands_them() -> None:
    source = (
        "{% for m in messages %}{% for c in m.tool_calls or [] %}{% if c.id | length != 9 %}{{ raise_exception('id') }}"
        "{% endif %}{{ c.function.name }}{{ c.function.arguments }}<{{ c.id }}>{% endfor %}"
        "{% if m.role == 'tool' %}({{ m.tool_call_id }}){% endif %}{% endfor %}"
    )
    ids = ["call_Xk2pQ9rT4sVw7yZa1bC3dE5f", "aB3dE5gH7", "aB3-E5gH7"]
    messages = [
        {"role": "assistant", "content": None, "tool_calls": [call(id=identity) for identity in ids]},
        *({"role": "tool", "tool_call_id": identity, "content": "r"} for identity in ids),
    ]
    assert chat(source).render(messages) == (
        "f{}<MEwRuGMp0>f{}<aB3dE5gH7>f{}<lAEOfzmGS>(MEwRuGMp0)(aB3dE5gH7)(lAEOfzmGS)"
    )


@pytest.mark.parametrize(("knows", "prompt"), [("m.role", "[developer]x"), ("'developer' and 'system'", "[system]x")])
def test_a_developer_is_the_system_unless_the_template_prints_what_developers_say(knows: str, prompt: str) -> None:
    source = (
        "{% for m in messages %}{% if m.role in ('user', 'system', " + knows + ") %}[{{ m.role }}]{{ m.content }}"
        "{% endif %}{% endfor %}{# developer #}"
    )
    assert chat(source).render([{"role": "developer", "content": "x"}]) == prompt


def test_a_slow_template_is_tried_no_longer_than_two_seconds() -> None:
    source = "{% for a in range(9000) %}{% for b in range(99999) %}{% endfor %}{% endfor %}{{ messages[0].content }}"
    start = time.thread_time()
    with pytest.raises(TemplateLimit):
        chat(source).render([{"role": "user", "content": "x"}])
    assert time.thread_time() - start < MAX_TRIAL_SECONDS + 4


def test_a_template_is_tried_once() -> None:
    compiled = compile_template("{{ messages[0].content }} tried once")
    assert compiled.shape is compiled.shape
