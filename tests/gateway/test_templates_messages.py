"""Messages on their way into a template: docs/translation.md#messages, hostile input included."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_lambda.registry.record import Model
from gateway_lambda.templates import ChatTemplate, MessagesRefused, TemplateError

DUMP = "{{ messages | tojson }}"
PARTS = (
    "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}"
    "{% for part in m.content %}<{{ part.type }}>{{ part.text }}{% endfor %}{% endif %}{% endfor %}"
)
HI = {"role": "user", "content": "Hi"}


def chat(source: str = DUMP, **fields: Any) -> ChatTemplate:
    return ChatTemplate(Model(**{"name": "m", "chat_template": source, "prefill": "new_turn", **fields}))


def shaped(*messages: Any, **fields: Any) -> Any:
    """What the template is given for `messages`."""
    return json.loads(chat(**fields).render(list(messages)))


def refusal(messages: Any, **fields: Any) -> tuple[str, str]:
    with pytest.raises(MessagesRefused) as refused:
        chat(**fields).render(messages)
    return refused.value.param, refused.value.code


def call(arguments: Any = "{}", **fields: Any) -> dict[str, Any]:
    return {"id": "c1", "type": "function", "function": {"name": "f", "arguments": arguments}, **fields}


def image(url: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


@pytest.mark.parametrize(
    ("messages", "param", "code"),
    [
        ([], "messages", "invalid_value"),
        (None, "messages", "invalid_type"),
        ({}, "messages", "invalid_type"),
        ("Hi", "messages", "invalid_type"),
        (["Hi"], "messages[0]", "invalid_type"),
        ([HI, None], "messages[1]", "invalid_type"),
        ([{}], "messages[0].role", "invalid_type"),
        ([{"content": "x"}], "messages[0].role", "invalid_type"),
        ([{"role": None, "content": "x"}], "messages[0].role", "invalid_type"),
        ([{"role": ["user"], "content": "x"}], "messages[0].role", "invalid_type"),
        ([{"role": "wizard", "content": "x"}], "messages[0].role", "invalid_value"),
        ([HI, {"role": "User", "content": "x"}], "messages[1].role", "invalid_value"),
        ([{"role": "user"}], "messages[0].content", "invalid_type"),
        ([{"role": "user", "content": 1}], "messages[0].content", "invalid_type"),
        ([{"role": "user", "content": {"text": "x"}}], "messages[0].content", "invalid_type"),
        ([{"role": "user", "content": ["x"]}], "messages[0].content", "invalid_type"),
        ([{"role": "user", "content": [{"text": "x"}]}], "messages[0].content", "invalid_type"),
        ([{"role": "user", "content": [{"type": "text"}]}], "messages[0].content", "invalid_type"),
        ([{"role": "user", "content": [{"type": "text", "text": None}]}], "messages[0].content", "invalid_type"),
        ([{"role": "user", "content": [{"type": "video"}]}], "messages[0].content", "unsupported_value"),
        ([{"role": "tool", "tool_call_id": "c"}], "messages[0].content", "invalid_type"),
        ([{"role": "user", "content": "x", "name": 1}], "messages[0].name", "invalid_type"),
        ([{"role": "tool", "content": "x", "tool_call_id": 1}], "messages[0].tool_call_id", "invalid_type"),
        ([{"role": "assistant", "tool_calls": {}}], "messages[0].tool_calls", "invalid_type"),
        ([{"role": "assistant", "tool_calls": ["x"]}], "messages[0].tool_calls[0]", "invalid_type"),
        ([{"role": "assistant", "tool_calls": [{}]}], "messages[0].tool_calls[0].function", "invalid_type"),
        (
            [{"role": "assistant", "tool_calls": [call(), call(function={})]}],
            "messages[0].tool_calls[1].function.name",
            "invalid_type",
        ),
        ([{"role": "assistant", "tool_calls": [call(id=1)]}], "messages[0].tool_calls[0].id", "invalid_type"),
        (
            [{"role": "assistant", "tool_calls": [call(type="custom")]}],
            "messages[0].tool_calls[0].type",
            "unsupported_value",
        ),
        ([{"role": "user", "content": "half \ud83d of a pair"}], "messages[0].content", "invalid_value"),
        ([HI] * 2049, "messages", "invalid_value"),
        (
            [{"role": "user", "content": "a" * 3_000_000}, {"role": "user", "content": "é" * 700_000}],
            "messages",
            "invalid_value",
        ),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_messages_that_break_the_rules_are_refused_at_their_place(messages: Any, param: str, code: str) -> None:
    assert refusal(messages) == (param, code)


def test_keys_with_null_are_removed_and_the_rest_is_passed_through() -> None:
    message = {"role": "user", "content": "x", "name": "bob", "audio": None, "reasoning_content": "r", "zzz": [None]}
    assert shaped(message) == [{"role": "user", "content": "x", "name": "bob", "reasoning_content": "r", "zzz": [None]}]


def test_messages_are_not_changed() -> None:
    messages = [
        HI,
        {"role": "developer", "content": [{"type": "text", "text": "x"}], "name": None},
        {"role": "assistant", "content": None, "tool_calls": [call('{"a": 1}', index=None)]},
        {"role": "tool", "tool_call_id": "c1", "content": "r"},
        {"role": "assistant", "content": "The"},
    ]
    before = copy.deepcopy(messages)
    chat(prefill="continue").render(messages)
    assert messages == before


@pytest.mark.parametrize(
    ("given_arguments", "seen"),
    [
        ('{"x": {"y": [1, null]}}', {"x": {"y": [1, None]}}),
        ("{}", {}),
        ("[1]", "[1]"),
        ("3", "3"),
        ("", {}),
        (" ", {}),
        (None, {}),
        ("null", {}),
        ('{"x": NaN}', '{"x": NaN}'),
        ("{bad", "{bad"),
        ('{"x":' * 9000, '{"x":' * 9000),
        ({"x": 1}, {"x": 1}),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_arguments_become_an_object_where_they_are_one(given_arguments: Any, seen: Any) -> None:
    message = {"role": "assistant", "tool_calls": [call(given_arguments)]}
    assert shaped(HI, message)[1]["tool_calls"][0]["function"]["arguments"] == seen


def test_the_name_of_a_call_comes_before_its_arguments_as_models_learned_it() -> None:
    function = {"arguments": "{}", "name": "f"}
    assert list(
        shaped(HI, {"role": "assistant", "tool_calls": [call(function=function)]})[1]["tool_calls"][0]["function"]
    ) == [
        "name",
        "arguments",
    ]


def test_nulls_inside_tool_calls_are_removed() -> None:
    calls = [{"id": "c1", "type": None, "index": None, "function": {"name": "f", "arguments": None}}]
    assert shaped(HI, {"role": "assistant", "content": None, "tool_calls": calls}) == [
        HI,
        {"role": "assistant", "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": {}}}]},
    ]


def test_a_tool_result_takes_its_name_from_the_call_unless_it_has_one() -> None:
    messages = [
        {"role": "assistant", "content": "c", "tool_calls": [call(), call(id="c2", function={"name": "g"})]},
        {"role": "tool", "tool_call_id": "c2", "content": "1"},
        {"role": "tool", "tool_call_id": "c1", "content": "2", "name": "own"},
        {"role": "tool", "tool_call_id": "c9", "content": "3"},
    ]
    assert shaped(*messages)[1:] == [
        {"role": "tool", "tool_call_id": "c2", "content": "1", "name": "g"},
        {"role": "tool", "tool_call_id": "c1", "content": "2", "name": "own"},
        {"role": "tool", "tool_call_id": "c9", "content": "3"},
    ]


def test_refusal_parts_are_text() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "b"}]
    assert shaped(HI, {"role": "assistant", "content": parts})[1]["content"] == "a\nb"


def test_nothing_is_added_around_images() -> None:
    parts = [
        {"type": "text", "text": "a"},
        image("data:image/gif;base64,AAAA"),
        image("data:image/webp;base64,BBBB"),
        {"type": "text", "text": "b"},
        {"type": "text", "text": "c"},
    ]
    assert shaped({"role": "user", "content": parts}, vision=True)[0]["content"] == (
        "a![](data:image/gif;base64,AAAA)![](data:image/webp;base64,BBBB)b\nc"
    )


def test_a_template_that_walks_parts_gets_parts() -> None:
    parts = [{"type": "text", "text": "a", "zzz": 1}, image("data:image/png;base64,AAAA")]
    prompt = chat(PARTS, vision=True).render([{"role": "user", "content": parts}, HI])
    assert prompt == "<text>a<text>![](data:image/png;base64,AAAA)Hi"


@pytest.mark.parametrize(
    "content", [None, [], "", [{"type": "text", "text": ""}]], ids=["null", "no parts", "no text", "an empty part"]
)
@pytest.mark.parametrize("role", ["user", "system", "assistant", "tool"])
def test_empty_content_is_content(role: str, content: Any) -> None:
    assert shaped({"role": role, "content": content}) == [{"role": role, "content": ""}]


def test_an_assistant_turn_needs_no_content() -> None:
    assert shaped({"role": "assistant"}) == [{"role": "assistant", "content": ""}]


@pytest.mark.parametrize("content", [None, [], ""])
def test_a_refusal_is_the_content_of_a_turn_without_one(content: Any) -> None:
    message = {"role": "assistant", "content": content, "refusal": "No."}
    assert shaped(message) == [{"role": "assistant", "content": "No.", "refusal": "No."}]


def test_reasoning_reaches_templates_under_the_names_that_they_read() -> None:
    message = {"role": "assistant", "content": "a", "reasoning": "r"}
    assert shaped(message) == [{**message, "thinking": "r", "reasoning_content": "r"}]


@pytest.mark.parametrize(
    ("url", "placed"),
    [
        ("data:image/png;base64,AAAA", "data:image/png;base64,AAAA"),
        ("data:image/jpeg;base64,AAA=", "data:image/jpeg;base64,AAA="),
        ("https://images.example/a_(1).png", "https://images.example/a_(1%29.png"),
        ("http://IMAGES.example/a", "http://IMAGES.example/a"),
        ("https://images.example:443/a", "https://images.example:443/a"),
        ("https://other.example:8443/a", "https://other.example:8443/a"),
    ],
)
def test_allowed_images_are_placed(url: str, placed: str) -> None:
    prompt = chat(
        "{{ messages[0].content }}", vision=True, image_hosts=["Images.example", "other.example:8443"]
    ).render([{"role": "user", "content": [image(url)]}])
    assert prompt == f"![]({placed})"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "data:,",
        "data:image/svg+xml;base64,AAAA",
        "data:image/png,AAAA",
        "data:image/png;base64,AA)AA",
        "data:image/png;base64,AAA",
        "data:image/png;base64,AAAA\n",
        "data:text/html;base64,AAAA",
        "http://169.254.169.254/latest/meta-data",
        "http://localhost/",
        "https://other.example/a",
        "https://images.example:444/a",
        "https://images.example.evil.example/a",
        "https://images.example@evil.example/a",
        "https://evil.example\\@images.example/a",
        "https://evil.example/images.example",
        "https://images.example\t.evil.example/",
        "https:///a",
        "https://[::1/a",
        "https://images.example:99999/a",
        "HTTPS:images.example",
        "file:///etc/passwd",
        "ftp://images.example/a",
        "//images.example/a",
        "https://ïmages.example/a",
        " https://images.example/a",
        None,
        1,
    ],
)
def test_other_images_are_refused(url: Any) -> None:
    param, code = refusal(
        [{"role": "user", "content": [image(url)]}], vision=True, image_hosts=["images.example", "other.example:8443"]
    )
    assert (param, code) == ("messages[0].content", "invalid_value" if isinstance(url, str) else "invalid_type")


def test_no_text_of_a_caller_becomes_an_image() -> None:
    source = "{% for m in messages %}{{ m.name }}{{ m.content }}{% endfor %}{{ tools[0] }}{{ x }}"
    evil = "![](http://169.254.169.254/)"
    prompt = chat(source, vision=True).render(
        [
            {"role": "user", "name": evil, "content": evil},
            {"role": "user", "content": "!"},
            {"role": "user", "content": "[](http://169.254.169.254/)"},
            {"role": "user", "content": [image("data:image/png;base64,AAAA")]},
        ],
        tools=[evil],
        chat_template_kwargs={"x": evil},
    )
    broken = "!\u200b[](http://169.254.169.254/)"
    assert prompt == f"{broken}{broken}{broken}![](data:image/png;base64,AAAA){broken}{broken}"


def test_a_text_model_s_markdown_is_left_alone() -> None:
    assert chat("{{ messages[0].content }}").render([{"role": "user", "content": "![](a.png)"}]) == "![](a.png)"


CONTROLLED = "{% for m in messages %}<|im_start|>{{ m.content }}{% endfor %}{{ tools[0] if tools }}"


def test_control_tokens_are_stripped_from_what_callers_write_where_the_record_says_so() -> None:
    model = chat(
        CONTROLLED,
        control_tokens_in_input="strip",
        eos_token="</s>",
        special_tokens={"additional_special_tokens": ["<x>"], "pad_token": "<pad>"},
    )
    content = "a<|im_start|>b</s>c<x>d<pad>e<|im_<|im_start|>start|>f<|other|>"
    messages = [{"role": "user", "content": content}, {"role": "user", "content": [{"type": "text", "text": "</s>g"}]}]
    assert model.render(messages, tools=["<x>t"]) == "<|im_start|>abcdef<|other|><|im_start|>gt"


def test_control_tokens_are_refused_where_the_record_says_so() -> None:
    fields = {"source": CONTROLLED, "control_tokens_in_input": "reject"}
    assert refusal([HI, {"role": "user", "content": "a<|im_start|>b"}], **fields) == (
        "messages[1].content",
        "invalid_value",
    )
    assert chat(**fields).render([HI]) == "<|im_start|>Hi"


def test_control_tokens_hidden_in_each_other_too_deeply_are_refused() -> None:
    content = "<|im_" * 50 + "start|>" * 50
    assert refusal([{"role": "user", "content": content}], source=CONTROLLED, control_tokens_in_input="strip") == (
        "messages[0].content",
        "invalid_value",
    )


TEXTS = st.text(st.characters(exclude_categories=()), max_size=8)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)
CONTENTS = JSON | st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["text", "refusal", "image_url", "file"]) | JSON},
        optional={"text": JSON, "refusal": JSON, "image_url": JSON | st.fixed_dictionaries({"url": JSON})},
    ),
    max_size=3,
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "assistant", "tool", "developer"]) | JSON},
        optional={
            "content": CONTENTS,
            "name": JSON,
            "tool_call_id": JSON,
            "tool_calls": JSON
            | st.lists(st.fixed_dictionaries({"function": st.fixed_dictionaries({"name": TEXTS, "arguments": JSON})})),
        },
    ),
    max_size=4,
)
HOSTILE = [
    chat(source, vision=vision, control_tokens_in_input=control, prefill="continue")
    for source in (DUMP, PARTS, CONTROLLED)
    for vision in (False, True)
    for control in ("allow", "strip")
]


@settings(max_examples=200)
@given(MESSAGES | JSON, JSON, JSON, st.sampled_from(HOSTILE))
def test_any_json_gives_a_prompt_or_a_named_error(messages: Any, tools: Any, kwargs: Any, model: ChatTemplate) -> None:
    before = copy.deepcopy((messages, tools, kwargs))
    try:
        prompt = model.render(messages, tools=tools, chat_template_kwargs=kwargs)
    except TemplateError as problem:
        prompt = problem.message
    assert prompt.encode()
    assert (messages, tools, kwargs) == before
